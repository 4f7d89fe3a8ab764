// Histograms, with one bin marked: of shadow runs, and of what drifted.
import { colour, onTheme } from "/static/theme.js";

const drawn = new Map();

function bars(box) {
  drawn.get(box)?.plot.destroy();
  const counts = box.dataset.counts.split(",").map(Number);
  const best = Number(box.dataset.best);
  const { top, mark, rest: others } = box.dataset;
  const places = counts.map((_, place) => place);
  const rest = counts.map((count, place) => (place === best ? null : count));
  const agree = counts.map((count, place) => (place === best ? count : null));
  const look = (name) => ({ paths: uPlot.paths.bars({ size: [0.82, 60] }), fill: colour(name), stroke: colour(name), width: 0, points: { show: false } });
  const plot = new uPlot({
    width: box.clientWidth, height: box.clientHeight, legend: { show: false }, cursor: { show: false }, padding: [4, 0, 0, 0],
    scales: { x: { time: false, range: [-0.6, counts.length - 0.4] }, y: { range: (_, low, high) => [0, Number(top) || high] } },
    axes: [{ show: false }, { show: false }],
    series: [{}, look(others || "--warn-fill"), look(mark || "--good-fill")],
  }, [places, rest, agree], box);
  drawn.set(box, { plot, counts: box.dataset.counts });
}

function all() {
  for (const box of document.querySelectorAll(".bars")) if (drawn.get(box)?.counts !== box.dataset.counts) bars(box);
  for (const box of drawn.keys()) if (!box.isConnected) drawn.delete(box);
}

function again() {
  for (const box of drawn.keys()) bars(box);
}

new ResizeObserver(again).observe(document.querySelector("main"));
onTheme(again);
document.addEventListener("drawn", all);
all();
