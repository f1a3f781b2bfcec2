"use strict";
// The last script: lists the scenes to choose from and opens the first one.
scenes.forEach((each, index) => {
  const button = make("button", { type: "button", "data-scene": each.name });
  if (each.kernels) {
    const icon = make("svg", { class: "grid icon small", "aria-hidden": "true" });
    const [rows, columns] = each.size;
    const grid = new Grid(icon, rows, columns, { scale: largest(each.kernels.values) });
    for (let k = 0; k < rows * columns; k++) grid.set(k, each.kernels.values[k]);
    button.append(icon);
  }
  button.append(make("span"));
  button.addEventListener("click", () => open(index));
  $("scenes").append(button);
});
$("pace").value = "steady";
open(data.opened);
listeners.push(describe);
setLanguage(language);
new ResizeObserver(layout).observe(document.querySelector(".grids"));
