"use strict";
// Draws feature maps from their bytes, in the colours of the page, and enlarges the selected one.
const $ = (id) => document.getElementById(id);
const layers = data.layers.map((layer) => ({
  ...layer,
  maps: unpacked(layer.maps),
  figures: unpacked(layer.figures),
}));
let looked = null; // the [layer, map] that is shown enlarged

/** Red, green and blue of a colour of the page. */
function colour(name) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

/** Draw a map on a canvas, one pixel per number: blue above 0, orange below, the background at 0. */
function paint(canvas, layer, index) {
  const [, rows, columns] = layer.maps.shape;
  const [background, positive, negative] = ["--frame", "--blue", "--orange"].map(colour);
  canvas.width = columns;
  canvas.height = rows;
  const image = new ImageData(columns, rows);
  const start = index * rows * columns;
  for (let i = 0; i < rows * columns; i++) {
    const value = layer.maps.values[start + i] / 127;
    const end = value < 0 ? negative : positive;
    for (let c = 0; c < 3; c++) {
      image.data[4 * i + c] = background[c] + Math.abs(value) * (end[c] - background[c]);
    }
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function label(layer, index) {
  const isMap = layer.maps.shape[1] * layer.maps.shape[2] > 1;
  return translate(isMap ? "map-of" : "number-of", { layer: layer.name, index });
}

function look(at, index) {
  looked = [at, index];
  const layer = layers[at];
  paint($("large"), layer, index);
  const [low, high, mean] = layer.figures.values.subarray(3 * index, 3 * index + 3);
  const isMap = layer.maps.shape[1] * layer.maps.shape[2] > 1;
  const range = { low: written(low), high: written(high), mean: written(mean) };
  const figures = isMap ? translate("range", range) : written(mean);
  delete $("lens").dataset.text;
  $("lens").textContent = `${label(layer, index)}: ${figures}`;
  document.body.classList.add("looking");
  document.querySelector(".map.looked")?.classList.remove("looked");
  mapButton(at, index).classList.add("looked");
}

const holder = (at) => document.querySelector(`[data-layer="${at}"]`);
const mapButton = (at, index) => holder(at).children[index];

function drawLayer(at) {
  const layer = layers[at];
  const [count, rows, columns] = layer.maps.shape;
  holder(at).classList.toggle("numbers", rows * columns === 1);
  for (let index = 0; index < count; index++) {
    const canvas = make("canvas");
    const button = make("button", { type: "button", class: "map", tabindex: index ? -1 : 0 }, canvas);
    paint(canvas, layer, index);
    for (const happening of ["pointerenter", "focus", "click"]) {
      button.addEventListener(happening, () => look(at, index));
    }
    button.addEventListener("keydown", (event) => {
      const moves = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: count - 1 };
      const next = moves[event.key];
      if (next === undefined) return;
      event.preventDefault();
      mapButton(at, Math.max(0, Math.min(count - 1, next))).focus();
    });
    holder(at).append(button);
  }
  if (layer.more) holder(at).append(make("span", { class: "more" }));
}

function name() {
  layers.forEach((layer, at) => {
    for (let index = 0; index < layer.maps.shape[0]; index++) {
      mapButton(at, index).setAttribute("aria-label", label(layer, index));
    }
    const more = holder(at).querySelector(".more");
    if (more) more.textContent = translate("more", { count: layer.more.toLocaleString("en") });
  });
  if (looked) look(...looked);
}

function repaint() {
  layers.forEach((layer, at) => {
    for (let index = 0; index < layer.maps.shape[0]; index++) {
      paint(mapButton(at, index).firstChild, layer, index);
    }
  });
  if (looked) paint($("large"), layers[looked[0]], looked[1]);
}

layers.forEach((_, at) => drawLayer(at));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
listeners.push(name);
setLanguage(language);
