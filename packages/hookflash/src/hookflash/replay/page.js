// The page of one call: audio, transcript and timeline in step. Without audio, a click only marks.
const audio = document.querySelector("audio");
const turns = [...document.querySelectorAll(".turns li")];
const timeline = document.querySelector(".timeline");
const drawing = timeline.querySelector("svg");
const rows = [...drawing.querySelectorAll(":scope > g")];
const { row, left, scale } = Object.fromEntries(
  Object.entries(timeline.dataset).map(([name, value]) => [name, Number(value)]),
);
const startsAt = Number(audio?.dataset.startsAt ?? 0);
const head = document.createElementNS("http://www.w3.org/2000/svg", "line");
head.setAttribute("class", "playhead");

if (audio) {
  // A blob can be sought in every browser; a long data address cannot.
  const [, text] = audio.src.split(",");
  const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  audio.src = URL.createObjectURL(new Blob([bytes], { type: "audio/wav" }));
}

function mark(seconds) {
  for (const turn of turns) {
    const { start, end } = turn.dataset;
    const here = seconds >= Number(start) && seconds <= Number(end);
    if (here && !turn.classList.contains("now")) turn.scrollIntoView({ block: "nearest" });
    turn.classList.toggle("now", here);
  }
  const group = rows[Math.min(rows.length - 1, Math.floor(seconds / row))];
  if (!group) return;
  const x = left + (seconds % row) * scale;
  for (const [name, value] of Object.entries({ x1: x, x2: x, y1: 0, y2: group.getBBox().height })) {
    if (head.parentNode !== group || name[0] === "x") head.setAttribute(name, value);
  }
  if (head.parentNode !== group) group.append(head);
}

function play(seconds) {
  mark(seconds);
  if (!audio) return;
  audio.currentTime = Math.max(0, seconds - startsAt);
  audio.play().catch(() => {});
}

for (const turn of turns) turn.querySelector("button").addEventListener("click", () => play(Number(turn.dataset.start)));
drawing.addEventListener("click", (event) => {
  rows.forEach((group, number) => {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(group.getScreenCTM().inverse());
    const box = group.getBBox();
    if (place.y >= box.y && place.y <= box.y + box.height && place.x >= left)
      play(number * row + Math.min(row, (place.x - left) / scale));
  });
});

if (audio) {
  const follow = () => {
    mark(startsAt + audio.currentTime);
    if (!audio.paused) requestAnimationFrame(follow);
  };
  audio.addEventListener("play", follow);
  audio.addEventListener("seeked", () => mark(startsAt + audio.currentTime));
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("audio, button") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") audio.paused ? audio.play() : audio.pause();
    else if (event.key === "ArrowLeft") audio.currentTime -= 5;
    else if (event.key === "ArrowRight") audio.currentTime += 5;
    else return;
    event.preventDefault();
  });
}
