// One trait against time. The server draws it to size; a zoom asks it again, so there is always as much detail as fits.
import { colour, onTheme } from "/static/theme.js";

const DAYS = { day: 1, week: 7, month: 31, season: 183 };
const MAX_STEPS = 4000;
const SETTLES_MS = 150;
const box = document.getElementById("chart");
const state = document.getElementById("chart-state");
const reading = document.getElementById("reading");
const keys = document.getElementById("keys");
const trait = document.getElementById("trait");
const beside = document.getElementById("beside");
const compared = new Set();
const query = new URLSearchParams(location.search);

let range = query.get("range") in DAYS ? query.get("range") : "week";
let span = null; // [since, until] in seconds; null: up to now
let chart = null;
let shown = null;
let asked = 0;
let due = null;

function wanted() {
  const now = Date.now() / 1000;
  return span ?? [now - DAYS[range] * 86400, now];
}

function steps() {
  return Math.min(MAX_STEPS, Math.max(100, Math.round(box.clientWidth)));
}

async function load() {
  const mine = ++asked;
  const [since, until] = wanted();
  const ask = new URLSearchParams({
    trait: trait.value, since: new Date(since * 1000).toISOString(), until: new Date(until * 1000).toISOString(), points: steps(),
  });
  for (const name of compared) ask.append("beside", name);
  link(since, until);
  try {
    const answer = await fetch(`${box.dataset.path}?${ask}`, { cache: "no-store" });
    const said = await answer.json();
    if (mine !== asked) return;
    if (!answer.ok) throw new Error(typeof said.detail === "string" ? said.detail : `the service answers ${answer.status}`);
    shown = said;
    draw();
  } catch (error) {
    if (mine !== asked) return;
    say(`The chart cannot be drawn: ${error.message}`);
  }
}

function say(words) {
  state.textContent = words;
  state.hidden = !words;
  box.dataset.state = words ? "empty" : "drawn";
}

function link(since, until) {
  const shownTime = new URLSearchParams({ since: new Date(since * 1000).toISOString(), until: new Date(until * 1000).toISOString() });
  for (const kind of ["csv", "parquet"]) {
    document.getElementById(kind).href = `/api/v1${location.pathname}/readings.${kind}?${shownTime}`;
  }
}

function columns() {
  const all = [shown.at];
  for (const line of shown.lines) {
    for (const column of ["value", "low", "high"]) {
      const spread = new Array(shown.at.length); // undefined: another line's moment; null: a gap
      line.at.forEach((place, number) => { spread[place] = line[column][number]; });
      all.push(spread);
    }
  }
  return all;
}

function number(value) {
  if (value === null || value === undefined) return "–";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
  return value.toLocaleString("en-GB", { maximumFractionDigits: digits }).replaceAll(",", "\u202f");
}

function united(value) {
  return shown.unit ? `${number(value)}\u202f${shown.unit}` : number(value);
}

function moment(tick, step_s, before) {
  const at = new Date(tick * 1000);
  const day = at.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  if (step_s >= 86400) return day;
  const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const newDay = before === undefined || new Date(before * 1000).getDate() !== at.getDate();
  return newDay ? `${time}\n${day}` : time;
}

function spoken(at_s) {
  return new Date(at_s * 1000).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}

function follow(plot) {
  const place = plot.cursor.idx;
  if (place === null || place === undefined) return tell();
  reading.replaceChildren();
  const when = document.createElement("b");
  when.textContent = spoken(shown.at[place]);
  reading.append(when);
  shown.lines.forEach((line, index) => {
    const value = plot.data[1 + 3 * index][place];
    if (value === undefined || value === null) return;
    const [low, high] = [plot.data[2 + 3 * index][place], plot.data[3 + 3 * index][place]];
    const part = document.createElement("span");
    part.textContent = `${line.name}: ${united(value)}${low !== high ? ` (${number(low)} to ${number(high)})` : ""}`;
    reading.append(part);
  });
  const near = shown.marks.find((mark) => Math.abs(plot.valToPos(mark.at, "x") - plot.cursor.left) < 6);
  if (near) {
    const part = document.createElement("span");
    part.textContent = near.says;
    reading.append(part);
  }
}

function tell() {
  const several = shown.step_s >= 3600 ? `, each point ${shown.step_s >= 86400 ? `${number(shown.step_s / 86400)} d` : `${number(shown.step_s / 3600)} h`}` : "";
  reading.textContent = `${number(shown.count)} readings from ${spoken(shown.since)} to ${spoken(shown.until)}${several}`;
}

function marks(plot) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = colour("--gap");
  for (const [begin, end] of shown.gaps) {
    const [left, right] = [plot.valToPos(begin, "x", true), plot.valToPos(end, "x", true)];
    ctx.fillRect(Math.max(left, bbox.left), bbox.top, Math.min(right, bbox.left + bbox.width) - Math.max(left, bbox.left), bbox.height);
  }
  ctx.lineWidth = devicePixelRatio;
  for (const mark of shown.marks) {
    const left = Math.round(plot.valToPos(mark.at, "x", true));
    if (left < bbox.left || left > bbox.left + bbox.width) continue;
    ctx.strokeStyle = colour(mark.kind === "model" ? "--mark-model" : "--mark");
    ctx.setLineDash(mark.kind === "model" ? [] : [3 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(left, bbox.top);
    ctx.lineTo(left, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

function zoomed(plot) {
  if (plot.select.width < 4) return;
  span = [plot.posToVal(plot.select.left, "x"), plot.posToVal(plot.select.left + plot.select.width, "x")];
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  press(null);
  later();
}

function options() {
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: "12px Inter, system-ui, sans-serif" };
  const series = [{}];
  const bands = [];
  shown.lines.forEach((_, index) => {
    const ink = colour(`--line-${index % 5}`);
    const quiet = { stroke: "transparent", width: 0, points: { show: false } };
    series.push({ stroke: ink, width: 1.75, points: { size: 4, fill: ink } }, quiet, quiet);
    bands.push({ series: [3 + 3 * index, 2 + 3 * index], fill: `color-mix(in srgb, ${ink} 16%, transparent)` });
  });
  return {
    width: box.clientWidth, height: box.clientHeight, series, bands,
    padding: [10, 26, 0, 0],
    scales: { x: { range: () => [shown.since, shown.until] } },
    axes: [
      { ...axis, space: 74, values: (_, ticks, __, ___, step_s) => ticks.map((tick, number) => moment(tick, step_s, ticks[number - 1])) },
      { ...axis, size: (plot, labels) => 18 + Math.max(24, ...(labels ?? []).map((label) => 6.8 * label.length)), values: (_, ticks) => ticks.map(united) },
    ],
    cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7 } },
    hooks: { drawAxes: [marks], setCursor: [follow], setSelect: [zoomed] },
  };
}

function draw() {
  if (!shown) return;
  const some = shown.lines.some((line) => line.value.some((value) => value !== null));
  chart?.destroy();
  chart = new uPlot(options(), columns(), box);
  box.dataset.points = shown.at.length;
  say(some ? "" : `No ${shown.label} was measured in this time`);
  tell();
  legend();
}

function legend() {
  keys.replaceChildren();
  shown.lines.forEach((line, index) => {
    const item = document.createElement("li");
    const key = document.createElement("i");
    key.className = `l${index % 5}`;
    item.append(key, line.name);
    if (compared.has(line.name)) {
      const away = document.createElement("button");
      away.type = "button";
      away.className = "plain";
      away.textContent = "remove";
      away.setAttribute("aria-label", `Remove ${line.name}`);
      away.onclick = () => { compared.delete(line.name); load(); };
      item.append(away);
    }
    keys.append(item);
  });
  const gaps = shown.gaps.length;
  if (gaps) keys.append(Object.assign(document.createElement("li"), { textContent: `${gaps} gap${gaps === 1 ? "" : "s"}, shaded` }));
  for (const mark of shown.marks.slice(-6)) {
    const item = document.createElement("li");
    item.textContent = `${spoken(mark.at)}: ${mark.says}`;
    keys.append(item);
  }
}

function press(name) {
  for (const button of document.querySelectorAll("[data-range]")) button.setAttribute("aria-pressed", String(button.dataset.range === name));
}

function later() {
  clearTimeout(due);
  due = setTimeout(load, SETTLES_MS);
}

function move(share) {
  const [since, until] = wanted();
  const by = (until - since) * share;
  span = [since + by, until + by];
  press(null);
  later();
}

for (const button of document.querySelectorAll("[data-range]")) {
  button.onclick = () => { range = button.dataset.range; span = null; press(range); load(); };
}
document.getElementById("earlier").onclick = () => move(-0.5);
document.getElementById("later").onclick = () => move(0.5);
trait.onchange = load;
beside.onchange = () => {
  if (beside.value && compared.size < Number(box.dataset.max)) compared.add(beside.value);
  beside.value = "";
  load();
};
document.addEventListener("drawn", () => { if (!span) later(); });
new ResizeObserver(() => { if (chart) chart.setSize({ width: box.clientWidth, height: box.clientHeight }); }).observe(box);
onTheme(draw);
press(range);
load();
