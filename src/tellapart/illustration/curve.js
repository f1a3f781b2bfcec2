"use strict";
// The curve of an activation function, with the point on it that belongs to the current place.
const CURVE = { left: 30, right: 232, top: 10, bottom: 178 };

function curveScale() {
  const { shape, values } = scene.curve;
  const [xs, ys] = [values.subarray(0, shape[1]), values.subarray(shape[1])];
  const [low, high] = [Math.min(0, ...ys), Math.max(...ys)];
  const room = 0.06 * (high - low || 1);
  const map = (v, from, to, start, end) => start + ((v - from) / (to - from)) * (end - start);
  return {
    xs, ys, low, high,
    x: (v) => map(v, xs[0], xs[xs.length - 1], CURVE.left, CURVE.right),
    y: (v) => map(v, low - room, high + room, CURVE.bottom, CURVE.top),
  };
}

function drawCurve() {
  const { xs, ys, low, high, x, y } = curveScale();
  const points = Array.from(xs, (v, i) => `${x(v).toFixed(1)},${y(ys[i]).toFixed(1)}`).join(" ");
  const line = (x1, y1, x2, y2, name) => make("line", { x1, y1, x2, y2, class: name });
  const label = (at, up, text, anchor) =>
    make("text", { x: at, y: up, class: "tick", "text-anchor": anchor }, text);
  $("curve").replaceChildren(
    line(CURVE.left, y(0), CURVE.right, y(0), "axis"),
    line(x(0), CURVE.top, x(0), CURVE.bottom, "axis"),
    label(CURVE.left, CURVE.bottom + 16, brief(xs[0]), "start"),
    label(CURVE.right, CURVE.bottom + 16, brief(xs[xs.length - 1]), "end"),
    label(CURVE.left - 4, y(high) + 4, brief(high), "end"),
    ...(low < -0.05 * high ? [label(CURVE.left - 4, y(low) + 4, brief(low), "end")] : []),
    make("polyline", { points, class: "line" }),
    make("path", { id: "guide", class: "guide" }),
    make("circle", { id: "point", r: 5 }),
    make("text", { id: "slope", class: "tick", x: CURVE.left + 8, y: CURVE.top + 12 }),
  );
}

function drawPoint(index) {
  const { x, y } = curveScale();
  const at = x(inputAt(tapAt(index, 0)).value);
  const up = y(scene.output.values[index]);
  $("point").setAttribute("cx", at);
  $("point").setAttribute("cy", up);
  $("guide").setAttribute("d", `M${at} ${y(0)}V${up}H${x(0)}`);
  $("slope").textContent = `${translate("slope")}: ${written(scene.slopes.values[index])}`;
}
