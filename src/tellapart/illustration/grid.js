"use strict";
// A grid of numbers and shades. One cell is 10 units wide; the outlines are drawn above the cells.
const UNIT = 10;
const SMALLEST_CELL_WITH_NUMBERS = 14;
const SMALLEST_CELL_WITH_DIGITS = 34;

class Grid {
  /**
   * @param {SVGElement} svg where to draw
   * @param {object} look isImage: grey levels 0..255; scale: the value of the deepest colour;
   *   border: [rows, columns] of padding on each side
   */
  constructor(svg, rows, columns, look = {}) {
    this.svg = svg;
    [this.rows, this.columns, this.look] = [rows, columns, look];
    this.cells = [];
    svg.replaceChildren();
    svg.setAttribute("viewBox", `-0.8 -0.8 ${columns * UNIT + 1.6} ${rows * UNIT + 1.6}`);
    const size = { width: columns * UNIT, height: rows * UNIT };
    const cells = make("g", { class: "cells" }, make("rect", { ...size, class: "background" }));
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) cells.append(...this.#cell(row, column));
    }
    this.marks = make("g", { class: "marks", "aria-hidden": "true" });
    svg.append(cells, this.marks);
  }

  #cell(row, column) {
    const at = { x: column * UNIT + 0.15, y: row * UNIT + 0.15 };
    const rect = make("rect", { ...at, width: UNIT - 0.3, height: UNIT - 0.3, class: "cell" });
    const text = make("text", { x: (column + 0.5) * UNIT, y: (row + 0.5) * UNIT, class: "digit" });
    this.cells.push({ rect, text, value: null });
    return [rect, text];
  }

  /** The size of a cell on the screen decides whether it shows its number, and with how many digits. */
  resize(pixels) {
    this.pixels = pixels;
    this.svg.style.width = `${((this.columns * UNIT + 1.6) * pixels) / UNIT}px`;
    this.svg.classList.toggle("small", pixels < SMALLEST_CELL_WITH_NUMBERS);
    this.cells.forEach((cell) => this.#write(cell));
    this.#fit();
  }

  set(index, value, isBorder = false) {
    const cell = this.cells[index];
    cell.value = value;
    const { rect, text } = cell;
    const { isImage, scale } = this.look;
    let depth;
    if (isBorder) {
      rect.setAttribute("class", "cell border");
      depth = 0;
    } else if (isImage) {
      const grey = Math.round(value);
      rect.setAttribute("class", "cell image");
      rect.style.fill = `rgb(${grey},${grey},${grey})`;
    } else {
      depth = Math.min(1, Math.abs(value) / (scale || 1));
      rect.setAttribute("class", `cell ${value < 0 ? "negative" : "positive"}`);
      rect.style.fillOpacity = 0.9 * depth;
    }
    const tone = isImage && !isBorder ? (value > 120 ? "on-light" : "on-dark") : depth > 0.62 ? "on-deep" : "";
    text.setAttribute("class", `digit ${tone} ${value === 0 ? "zero" : ""}`);
    this.#write(cell);
  }

  clear(index) {
    const cell = this.cells[index];
    cell.value = null;
    cell.rect.setAttribute("class", "cell unknown");
    cell.rect.removeAttribute("style");
    cell.text.textContent = "";
  }

  #write(cell) {
    if (cell.value === null) return;
    const wide = (this.pixels ?? 0) >= SMALLEST_CELL_WITH_DIGITS;
    cell.text.textContent = wide ? written(cell.value, 3) : brief(cell.value);
  }

  /** All numbers of the grid have one size of text, at which the longest of them fits its cell. */
  #fit() {
    const longest = Math.max(2, ...this.cells.map((cell) => cell.text.textContent.length));
    this.svg.style.setProperty("--digit", `${Math.min(4.4, 9.4 / (0.65 * longest)).toFixed(2)}px`);
  }

  fit() {
    this.#fit();
  }

  /** Outlines: [row, column, height, width, class] each. */
  outline(boxes) {
    while (this.marks.children.length > boxes.length) this.marks.lastChild.remove();
    while (this.marks.children.length < boxes.length) this.marks.append(make("rect", { rx: 0.6 }));
    boxes.forEach(([row, column, height, width, name], i) => {
      const rect = this.marks.children[i];
      rect.setAttribute("class", `mark ${name}`);
      rect.setAttribute("x", column * UNIT);
      rect.setAttribute("y", row * UNIT);
      rect.setAttribute("width", width * UNIT);
      rect.setAttribute("height", height * UNIT);
    });
  }

  /** The index of the cell under the pointer, or -1. */
  at(event) {
    const box = this.svg.getBoundingClientRect();
    const unit = (this.columns * UNIT + 1.6) / box.width;
    const column = Math.floor(((event.clientX - box.left) * unit - 0.8) / UNIT);
    const row = Math.floor(((event.clientY - box.top) * unit - 0.8) / UNIT);
    const inside = row >= 0 && row < this.rows && column >= 0 && column < this.columns;
    return inside ? row * this.columns + column : -1;
  }
}

function largest(values) {
  return values.reduce((most, v) => (Number.isFinite(v) ? Math.max(most, Math.abs(v)) : most), 0);
}
