"use strict";
// What moves the player: time, buttons, keys and the slider.
function go(to) {
  step = Math.max(0, Math.min(count() - 1, to));
  pointed = null;
  show();
  if (step === count() - 1) pause();
}

const still = matchMedia("(prefers-reduced-motion: reduce)");

/** Milliseconds per step: slow is one second; the others take about 40 and 10 seconds in total. */
function interval() {
  const all = { slow: Infinity, steady: 40_000, fast: 10_000 }[$("pace").value];
  return Math.max(still.matches ? 250 : 25, Math.min(1000, all / count()));
}

function play() {
  if (step === count() - 1) go(0);
  setPlaying(true);
  const tick = () => {
    go(step + 1);
    if (timer) timer = setTimeout(tick, interval());
  };
  timer = setTimeout(tick, interval());
}

function pause() {
  clearTimeout(timer);
  timer = null;
  setPlaying(false);
}

function setPlaying(playing) {
  const button = $("play");
  const path = playing ? "M7 4h4v16H7zM14 4h4v16h-4z" : "M7 4v16l13-8z";
  button.querySelector("path").setAttribute("d", path);
  button.dataset.label = playing ? "pause" : "play";
  button.title = translate(button.dataset.label);
  button.setAttribute("aria-label", button.title);
}

const toggle = () => (timer ? pause() : play());
const moves = {
  ArrowRight: () => go(step + 1),
  ArrowLeft: () => go(step - 1),
  ArrowDown: () => go(step + scene.output.shape[1]),
  ArrowUp: () => go(step - scene.output.shape[1]),
  Home: () => go(0),
  End: () => go(count() - 1),
};

document.addEventListener("keydown", (event) => {
  const tag = event.target.tagName;
  if (event.altKey || event.ctrlKey || event.metaKey || tag === "SELECT") return;
  if (event.key === " " && tag !== "BUTTON") {
    event.preventDefault();
    toggle();
  } else if (moves[event.key]) {
    event.preventDefault();
    pause();
    moves[event.key]();
  }
});
const clicks = { play: toggle, first: moves.Home, back: moves.ArrowLeft, forward: moves.ArrowRight, last: moves.End };
for (const [name, move] of Object.entries(clicks)) {
  $(name).addEventListener("click", () => {
    if (name !== "play") pause();
    move();
  });
}
$("place").addEventListener("input", () => {
  pause();
  go(Number($("place").value));
});
