"use strict";
// What every page needs: its data, its texts in two languages, and numbers as text.
const data = JSON.parse(document.getElementById("data").textContent);
const listeners = []; // called when the language changes
let language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";

/** Unpack the numbers that Python packed as {shape, values}, bit for bit. */
function unpacked(packed) {
  const bytes = Uint8Array.from(atob(packed.bytes), (letter) => letter.charCodeAt(0));
  const kinds = { "<f4": Float32Array, "|i1": Int8Array, "|u1": Uint8Array };
  return { shape: packed.shape, values: new kinds[packed.type](bytes.buffer) };
}

/** The text called `name` in the chosen language, with the {braces} filled in. */
function translate(name, parts = {}) {
  return data.texts[name][language].replace(/\{(\w+)\}/g, (_, key) => parts[key]);
}

/** A number with so many significant digits, without trailing zeros, with a real minus sign. */
function written(value, digits = 4) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const exact = Number.isInteger(value) && Math.abs(value) < 1e7;
  const short = exact ? String(value) : String(Number(value.toPrecision(digits)));
  return (short === "-0" ? "0" : short).replace(/-/g, "−");
}

/** A number for a small cell: a whole number from 10 on, below that with one decimal digit. */
function brief(value) {
  if (!Number.isFinite(value)) return written(value);
  const rounded = Math.abs(value) < 10 ? Math.round(value * 10) / 10 : Math.round(value);
  return written(rounded === 0 ? 0 : rounded);
}

function setLanguage(chosen) {
  language = chosen;
  document.documentElement.lang = chosen === "zh" ? "zh-CN" : "en";
  document.getElementById("language").lang = chosen === "zh" ? "en" : "zh-CN";
  for (const node of document.querySelectorAll("[data-text]")) {
    node.textContent = translate(node.dataset.text);
  }
  for (const node of document.querySelectorAll("[data-label]")) {
    node.setAttribute("aria-label", translate(node.dataset.label));
    if (node.tagName === "BUTTON" || node.classList.contains("bar")) {
      node.title = translate(node.dataset.label);
    }
  }
  for (const node of document.querySelectorAll("[data-zh]")) {
    node.dataset.en ??= node.textContent;
    node.textContent = node.dataset[chosen];
  }
  listeners.forEach((listener) => listener());
}

/** An element with attributes and children; text stays text. */
function make(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "rect", "text", "path", "line", "circle", "polyline", "title"];
  const node = svg.includes(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

document.getElementById("language").addEventListener("click", () => {
  setLanguage(language === "en" ? "zh" : "en");
});
