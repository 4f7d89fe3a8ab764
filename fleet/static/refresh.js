// Draws the page anew without losing the reader's place, and turns UTC clock times into local ones.
const EVERY_MS = 10000;

function localize() {
  for (const time of document.querySelectorAll("time.clock")) {
    const at = new Date(time.dateTime);
    time.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    time.title = at.toLocaleString();
  }
}

async function refresh() {
  if (document.hidden) return;
  const opened = [...document.querySelectorAll("details")].map((details) => details.open);
  const scrolled = [...document.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
  try {
    const answer = await fetch(location.pathname, { cache: "no-store", headers: { Accept: "text/html" } });
    if (answer.redirected) return location.reload(); // the session is over: the login comes, and then this page again
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelector("header").replaceWith(fresh.querySelector("header"));
    document.querySelector("main").replaceWith(fresh.querySelector("main"));
  } catch {
    document.querySelector("header p").textContent = "the fleet service does not answer; what is shown may be old";
    return;
  }
  document.querySelectorAll("details").forEach((details, index) => { details.open = opened[index] ?? false; });
  document.querySelectorAll(".scroll").forEach((box, index) => { box.scrollLeft = scrolled[index] ?? 0; });
  localize();
}

localize();
setInterval(refresh, EVERY_MS);
