"use strict";
// Pointing at a number shows which numbers it is computed from, or which it contributes to.
function point(index) {
  if (index === pointed) return;
  pointed = index < 0 ? null : index;
  drawWork();
  outline();
}

$("output").addEventListener("pointermove", (event) => point(output.at(event)));
$("output").addEventListener("pointerleave", () => point(-1));
$("output").addEventListener("click", (event) => {
  const index = output.at(event);
  if (index >= 0) {
    pause();
    go(index);
  }
});

function follow(pixel) {
  const found = placesSeeing(pixel);
  outline([[...pixel, 1, 1, "pointed"]]);
  output.outline([
    [...placeOf(watched()), 1, 1, "place"],
    ...found.map((index) => [...placeOf(index), 1, 1, "reached"]),
  ]);
  const { value, isBorder } = inputAt(pixel);
  const name = found.length > 1 ? "seen" : found.length ? "seen-once" : "unseen";
  const border = scene.operation === "max" ? "border-max" : "border";
  tell(isBorder ? translate(border) : translate(name, { value: written(value), count: found.length }));
}

function leave() {
  tell("");
  outline();
}

$("input").addEventListener("pointermove", (event) => {
  const index = input.at(event);
  if (index < 0) leave();
  else follow([Math.floor(index / input.columns), index % input.columns]);
});
$("input").addEventListener("pointerleave", leave);

/** Highlight a kernel position in all small grids, in the sum and in the input. */
function light(tap) {
  for (const [name, grid] of Object.entries(mini)) {
    const winner = name === "window" && scene.winners;
    const kept = winner ? [[...tapIn(scene.winners.values[watched()]), 1, 1, "winner"]] : [];
    grid.outline(tap < 0 ? kept : [...kept, [...tapIn(tap), 1, 1, "pointed"]]);
  }
  outline(tap < 0 ? [] : [[...tapAt(watched(), tap), 1, 1, "pointed"]]);
  for (const term of document.querySelectorAll(".term")) {
    term.classList.toggle("lit", Number(term.dataset.tap) === tap);
  }
}

for (const name of ["under", "kernel", "products", "window"]) {
  $(name)?.addEventListener("pointermove", (event) => light(mini[name].at(event)));
  $(name)?.addEventListener("pointerleave", () => light(-1));
}
$("expression").addEventListener("pointermove", (event) => {
  const term = event.target.closest(".term");
  light(term ? Number(term.dataset.tap) : -1);
});
$("expression").addEventListener("pointerleave", () => light(-1));
