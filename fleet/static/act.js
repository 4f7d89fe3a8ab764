// What operators do on a page: ask a device, change what is wanted of its settings, steer a rollout, label drift, silence.
import { draw } from "/static/live.js";

const toast = document.getElementById("toast");
const ASKS_EVERY_MS = 400;
const PATIENCE_MS = 35000;
let toastEnds = null;

function say(words) {
  toast.textContent = words;
  toast.hidden = false;
  clearTimeout(toastEnds);
  toastEnds = setTimeout(() => { toast.hidden = true; }, 7000);
}

async function send(path, body) {
  const csrf = document.querySelector('meta[name="csrf"]').content;
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": csrf };
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(typeof said.detail === "string" ? said.detail : `the service answers ${answer.status}`);
  return said;
}

async function answered(name) {
  const ends = performance.now() + PATIENCE_MS;
  while (performance.now() < ends) {
    await new Promise((done) => setTimeout(done, ASKS_EVERY_MS));
    const answer = await fetch(`/asks/${name}`, { cache: "no-store" });
    const found = answer.ok ? await answer.json() : { state: "waiting" };
    if (found.state !== "waiting") return found;
  }
  return { state: "failed", reason: "the device has not answered" };
}

async function ask(button) {
  const { ask: kind, path, camera } = button.dataset;
  const asked = await send(`${path}/asks`, { kind, camera: camera || null });
  const found = await answered(asked.id);
  if (found.state !== "done") return say(`Not done: ${found.reason || "no reason given"}`);
  if (kind === "snapshot") say("Here is the new picture");
  await draw();
}

function value(field) {
  if (field.value === "" && field.dataset.kind !== "text") return [];
  if (field.dataset.kind === "number") return [Number(field.value)];
  if (field.dataset.kind === "switch") return [field.value === "true"];
  return field.value === "" ? [] : [field.value];
}

async function change(form) {
  const changes = {};
  for (const field of form.querySelectorAll("[data-setting]")) {
    if (field.value !== field.dataset.was) changes[field.dataset.setting] = value(field);
  }
  if (!Object.keys(changes).length) return say("Nothing was changed");
  await send(form.dataset.path, { changes });
  delete form.dataset.kept;
  say("Wanted. The device is told, and says here when it has done it");
  await draw();
}

function written(form) {
  const body = {};
  for (const field of form.elements) {
    if (!field.name) continue;
    if (field.type === "checkbox") body[field.name] = field.checked;
    else if (field.type === "date") body[field.name] = field.value ? `${field.value}T00:00:00Z` : null;
    else if (field.dataset.kind === "number") body[field.name] = Number(field.value);
    else body[field.name] = field.value || (field.type === "text" ? "" : null);
  }
  return body;
}

async function post(form) {
  await send(form.dataset.path, written(form));
  delete form.dataset.kept;
  say(form.dataset.says);
  const box = form.closest("details");
  if (box) box.open = false;
  await draw();
}

async function steer(button) {
  const { path, asks } = button.dataset;
  if (asks && !window.confirm(asks)) return;
  await send(path, {});
  await draw();
}

async function busy(button, work) {
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (error) {
    say(error.message);
  } finally {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.ask) busy(button, () => ask(button));
  if (button && "steer" in button.dataset) busy(button, () => steer(button));
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  const work = form.matches("form[data-settings]") ? change : form.matches("form[data-send]") ? post : null;
  if (!work) return;
  event.preventDefault();
  busy(event.submitter, () => work(form));
});
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-settings], form[data-send]");
  if (form) form.dataset.kept = "";
});
