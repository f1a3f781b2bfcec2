"use strict";
// Plays a scene place by place, forwards and backwards. Every number that is shown was computed in
// Python; this script only computes positions.
const $ = (id) => document.getElementById(id);
const fields = data.fields.map((field) => ({ ...field, ...unpacked(field.values) }));
const scenes = data.scenes.map((scene) => ({
  ...scene,
  ...Object.fromEntries(
    Object.entries(scene)
      .filter(([, value]) => value && value.bytes)
      .map(([name, value]) => [name, unpacked(value)]),
  ),
}));
const mini = {}; // the small grids between input and output
let scene, input, output, channel, step, pointed, timer, revealed;

/* ---- positions ---- */

const count = () => scene.output.values.length;
const placeOf = (index) => [Math.floor(index / scene.output.shape[1]), index % scene.output.shape[1]];
const numTaps = () => scene.size[0] * scene.size[1];
const padded = () => fields[scene.field].shape.slice(1).map((n, i) => n + 2 * scene.padding[i]);

/** [row, column] in the padded input of tap `k` at place `index`. */
function tapAt(index, k) {
  const place = placeOf(index);
  const tap = [Math.floor(k / scene.size[1]), k % scene.size[1]];
  return place.map((at, i) => at * scene.stride[i] + tap[i] * scene.dilation[i]);
}

/** The value at [row, column] of the padded input; isBorder where it is padding. */
function inputAt([row, column]) {
  const { shape, values } = fields[scene.field];
  const [r, c] = [row - scene.padding[0], column - scene.padding[1]];
  if (r < 0 || c < 0 || r >= shape[1] || c >= shape[2]) {
    return { value: scene.operation === "max" ? -Infinity : 0, isBorder: true };
  }
  return { value: values[(channel * shape[1] + r) * shape[2] + c], isBorder: false };
}

/** The places whose window holds a pixel of the padded input. */
function placesSeeing(pixel) {
  const found = [];
  for (let k = 0; k < numTaps(); k++) {
    const tap = [Math.floor(k / scene.size[1]), k % scene.size[1]];
    const place = pixel.map((at, i) => (at - tap[i] * scene.dilation[i]) / scene.stride[i]);
    const [row, column] = place;
    const [rows, columns] = scene.output.shape;
    if (place.every(Number.isInteger) && row >= 0 && column >= 0 && row < rows && column < columns) {
      found.push(row * columns + column);
    }
  }
  return found;
}

/* ---- a scene on the stage ---- */

function open(index) {
  pause();
  scene = scenes[index];
  [channel, step, pointed, revealed] = [0, scene.opening, null, 0];
  [...$("scenes").children].forEach((button, i) => button.setAttribute("aria-pressed", i === index));
  const { shape } = scene.output;
  output = new Grid($("output"), shape[0], shape[1], outputLook());
  for (let i = 0; i < count(); i++) output.clear(i);
  const [rows, columns] = scene.size;
  for (const name of ["under", "kernel", "products", "window"]) {
    if ($(name)) mini[name] = new Grid($(name), rows, columns, miniLook(name));
  }
  $("place").max = count() - 1;
  drawInput();
  if (data.kind === "activation") drawCurve();
  layout();
  describe();
}

function outputLook() {
  const isGrey = fields[scene.field].isImage && ["max", "average"].includes(scene.operation);
  return { isImage: isGrey, scale: largest(scene.output.values) };
}

function miniLook(name) {
  if (name === "kernel") return { scale: largest(scene.kernels.values) };
  if (name === "products") return { scale: largest(scene.products.values) };
  const { isImage, values } = fields[scene.field];
  return { isImage, scale: largest(values) };
}

function drawInput() {
  const [rows, columns] = padded();
  const { isImage, shape, values } = fields[scene.field];
  const size = shape[1] * shape[2];
  const scale = largest(values.subarray(channel * size, (channel + 1) * size));
  input = new Grid($("input"), rows, columns, { isImage, scale });
  for (let i = 0; i < rows * columns; i++) {
    const { value, isBorder } = inputAt([Math.floor(i / columns), i % columns]);
    input.set(i, value, isBorder);
  }
  if (mini.kernel) {
    const start = channel * numTaps();
    for (let k = 0; k < numTaps(); k++) mini.kernel.set(k, scene.kernels.values[start + k]);
  }
}

/** Input and output have cells of one size, so that a person sees how the size changes. */
function layout() {
  const stage = document.querySelector(".grids");
  const style = getComputedStyle(stage);
  const between = style.gridTemplateColumns.split(" ").length === 3;
  const gaps = parseFloat(style.columnGap) * (between ? 2 : 1);
  const work = between ? document.querySelector(".work").getBoundingClientRect().width : 0;
  const room = stage.clientWidth - work - gaps - 4;
  const height = between ? Math.max(380, window.innerHeight - 375) : Infinity;
  const cell = Math.min(84, room / (input.columns + output.columns), height / input.rows);
  input.resize(cell);
  output.resize(cell);
  const part = between ? 108 : (stage.clientWidth - 2 * 12) / 3;
  for (const grid of Object.values(mini)) grid.resize(Math.min(46, part / scene.size[1]));
  show();
}

/* ---- one step ---- */

const watched = () => pointed ?? step;

function show() {
  for (; revealed <= step; revealed++) output.set(revealed, scene.output.values[revealed]);
  for (; revealed > step + 1; revealed--) output.clear(revealed - 1);
  output.fit();
  $("place").value = step;
  const [row, column] = placeOf(step);
  const where = translate("row-column", { row: row + 1, column: column + 1 });
  const position = translate("step", { step: step + 1, count: count() });
  $("step").textContent = position;
  $("place").setAttribute("aria-valuetext", `${position}, ${where}`);
  $("back").disabled = $("first").disabled = step === 0;
  $("forward").disabled = $("last").disabled = step === count() - 1;
  drawWork();
  outline();
}

function outline(extra = []) {
  const index = watched();
  const [top, left] = tapAt(index, 0);
  const [bottom, right] = tapAt(index, numTaps() - 1);
  const boxes = [[top, left, bottom - top + 1, right - left + 1, "span"]];
  if (Math.max(...scene.dilation) > 1) {
    for (let k = 0; k < numTaps(); k++) boxes.push([...tapAt(index, k), 1, 1, "tap"]);
  }
  if (scene.winners) boxes.push([...tapAt(index, scene.winners.values[index]), 1, 1, "winner"]);
  input.outline([...boxes, ...extra]);
  output.outline([[...placeOf(index), 1, 1, "place"]]);
}

function drawWork() {
  const index = watched();
  const value = scene.output.values[index];
  for (let k = 0; k < numTaps(); k++) {
    const { value: seen, isBorder } = inputAt(tapAt(index, k));
    (mini.under ?? mini.window)?.set(k, seen, isBorder);
    mini.products?.set(k, product(index, k));
  }
  mini.window?.outline(
    scene.winners ? [[...tapIn(scene.winners.values[index]), 1, 1, "winner"]] : [],
  );
  for (const grid of Object.values(mini)) grid.fit();
  $("result").textContent = written(scene.partial ? channelSum(index) : value);
  $("result-name").textContent = translate(
    { convolution: "sum", max: "max", average: "mean", activation: "value" }[scene.operation],
  );
  if (data.kind === "activation") drawPoint(index);
  writeExpression(index);
}

const tapIn = (k) => [Math.floor(k / scene.size[1]), k % scene.size[1]];
const product = (index, k) => scene.products.values[(channel * count() + index) * numTaps() + k];
const channelSum = (index) => scene.partial.values[channel * count() + index];

/** A negative number in brackets where a sign would stand before it. */
const factor = (value) => (value < 0 ? `(${written(value)})` : written(value));

function writeExpression(index) {
  const seen = Array.from({ length: numTaps() }, (_, k) => inputAt(tapAt(index, k)).value);
  const value = written(scene.output.values[index]);
  const lines = {
    convolution: () => convolutionLines(index, seen, value),
    max: () => [`max(${seen.map(written).join(", ")}) = `, value],
    average: () => [
      `(${seen.map(factor).join(" + ")}) / ${scene.count}`,
      ` = ${written(scene.sums.values[index])} / ${scene.count} = `,
      value,
    ],
    activation: () => [`${scene.name}(${written(seen[0])}) = `, value],
  };
  const parts = lines[scene.operation]();
  const total = make("b", { id: "total" }, parts.pop());
  $("expression").replaceChildren(...parts, total);
}

function convolutionLines(index, seen, value) {
  const kernel = scene.kernels.values.subarray(channel * numTaps(), (channel + 1) * numTaps());
  const terms = seen.map((x, k) => {
    const text = `${factor(x)}·${factor(kernel[k])}`;
    return [k ? " + " : "", make("span", { class: "term", "data-tap": k }, text)];
  });
  const several = scene.partial.shape[0] > 1 || scene.bias != null;
  if (!several) return [...terms.flat(), " = ", value];
  const sums = Array.from(scene.partial.values.filter((_, i) => i % count() === index), factor);
  if (scene.rest) sums.push(`${factor(scene.rest.values[index])} (${translate("others")})`);
  if (scene.bias != null) sums.push(`${factor(scene.bias)} (${translate("bias")})`);
  return [...terms.flat(), ` = ${written(channelSum(index))}`, make("br"), `${sums.join(" + ")} = `, value];
}

/* ---- texts ---- */

function describe() {
  $("meaning").textContent = scene.meaning[language];
  const { shape, caption } = fields[scene.field];
  const sizes = { input: shape.slice(1), output: scene.output.shape, kernel: scene.size };
  for (const [name, size] of Object.entries(sizes)) {
    const place = document.querySelector(`.panel.${name} .shape`);
    if (place) place.textContent = size.join(" × ");
  }
  document.querySelector(".panel.input .caption").textContent = caption[language];
  ["height", "width"].forEach((name, i) => {
    const [n, p, d, k, s] = [shape[i + 1], scene.padding[i], scene.dilation[i], scene.size[i], scene.stride[i]];
    $(`${name}-formula`).textContent =
      `${translate(name)}: ⌊(${n} + 2·${p} − ${d}·(${k} − 1) − 1) / ${s}⌋ + 1 = ${scene.output.shape[i]}`;
  });
  [...$("scenes").children].forEach((button, i) => {
    button.lastChild.textContent = scenes[i].title[language];
  });
  document.title = `${data.title[language]} · tellapart`;
  drawChannels();
  tell("");
  show();
}

function drawChannels() {
  const bar = $("channel");
  if (!bar) return;
  bar.hidden = scene.channels.length < 2;
  if (bar.hidden) return;
  const choice = make("select", { "aria-label": translate("channel") });
  scene.channels.forEach((name, i) => choice.append(make("option", { value: i }, name)));
  choice.value = channel;
  choice.addEventListener("change", () => {
    channel = Number(choice.value);
    drawInput();
    layout();
  });
  bar.replaceChildren(make("label", {}, `${translate("channel")} `, choice));
}

const told = document.querySelector(".panel.output .caption");
const tell = (text) => { told.textContent = text; };
