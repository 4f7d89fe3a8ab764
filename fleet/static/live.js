// Keeps a page as the store has it, without a reload: MQTT says that something changed, the server draws what it is now.
// After every connection the page is drawn anew first, so what was missed while the line was down is there again.
import mqtt from "/static/vendor/u8-mqtt.js";

const CHANNELS = ["ack", "state", "info", "reported", "health"];
const SETTLES_MS = 400; // a device says several things at once, and the store takes a moment
const EVERY_MS = 1500;
const PATIENCE_MS = 8000;
const pulse = document.getElementById("pulse");
const scope = document.body.dataset.scope || "+/+";

let delay_ms = 1000;
let due = null;
let drawing = false;
let drawnAt = 0;

function show(state, words) {
  pulse.dataset.state = state;
  const text = pulse.querySelector("span");
  if (text.textContent !== words) text.textContent = words;
  document.body.classList.toggle("stale", state === "lost");
}

export function localize(root = document) {
  for (const time of root.querySelectorAll("time.clock")) {
    const at = new Date(time.dateTime);
    time.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  }
  for (const time of root.querySelectorAll("time[datetime]")) time.title = new Date(time.dateTime).toLocaleString();
}

function keep(before, after) {
  if (before.tagName === "DETAILS" && before.open) after.open = true;
  if (before.matches?.("[data-kept]")) return false;
  return !(before === document.activeElement && before.matches("input, select"));
}

export async function draw() {
  if (drawing) return plan();
  drawing = true;
  try {
    const answer = await fetch(location.href, { cache: "no-store", headers: { Accept: "text/html" } });
    if (answer.redirected) return location.reload(); // the session is over: the login comes, and then this page again
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    localize(fresh);
    const options = { morphStyle: "innerHTML", ignoreActiveValue: true, callbacks: { beforeNodeMorphed: (a, b) => a.nodeType !== 1 || keep(a, b) } };
    Idiomorph.morph(document.querySelector("main"), fresh.querySelector("main").innerHTML, options);
    document.dispatchEvent(new CustomEvent("drawn"));
    drawnAt = performance.now();
    return true;
  } catch {
    show("lost", "The fleet service does not answer; what is shown may be old");
    return false;
  } finally {
    drawing = false;
  }
}

function plan() {
  if (due !== null || document.hidden) return;
  const wait = Math.max(SETTLES_MS, EVERY_MS - (performance.now() - drawnAt));
  due = setTimeout(() => { due = null; draw(); }, wait);
}

function patience(promise) {
  return Promise.race([promise, new Promise((_, fail) => setTimeout(() => fail(new Error("no answer")), PATIENCE_MS))]);
}

async function listen() {
  const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`;
  const socket = new WebSocket(url, ["mqtt"]);
  const closed = new Promise((done) => socket.addEventListener("close", done, { once: true }));
  const client = mqtt({
    keep_alive: 30, sess_stg: null, on_mqtt_type: { mqtt_publish: plan },
    on_live() {}, on_disconnect() {}, on_error() {}, log_conn() {},
  });
  try {
    client.with_websock(socket);
    await patience(client.connect({ client_id: "page", keep_alive: 30 }));
    await patience(client.subscribe(CHANNELS.map((channel) => `canopy/v1/${scope}/${channel}`)));
    if (await draw()) {
      show("live", "Live");
      delay_ms = 1000;
    }
    await closed;
  } catch {
    socket.close();
  }
}

async function stay() {
  for (;;) {
    await listen();
    show("lost", "Reconnecting…");
    if (await draw()) show("deaf", "Not live; drawn anew every few seconds");
    await new Promise((done) => setTimeout(done, delay_ms * (0.75 + Math.random() / 2)));
    delay_ms = Math.min(2 * delay_ms, 5000);
  }
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) draw(); });
setInterval(() => { if (!document.hidden && performance.now() - drawnAt > 30000) draw(); }, 30000); // ages grow
localize();
stay();
