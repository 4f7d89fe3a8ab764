// The heat map as one stop of the keyboard: arrows go from cell to cell, the newest days are in sight first.
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -Infinity], End: [0, Infinity] };
let kept = "";

const grid = () => [...document.querySelectorAll(".heat tbody tr")].map((row) => [...row.querySelectorAll(".cell")]);

function next(rows, row, column, [down, right]) {
  if (!Number.isFinite(right)) {
    const links = rows[row].filter((cell) => cell.matches("a"));
    return right < 0 ? links[0] : links.at(-1);
  }
  for (;;) {
    row += down;
    column += right;
    const cell = rows[row]?.[column];
    if (!cell || cell.matches("a")) return cell;
  }
}

function settle() {
  const links = [...document.querySelectorAll(".heat a.cell")];
  const stop = links.find((cell) => cell.getAttribute("href") === kept) ?? links.find((cell) => cell.ariaCurrent) ?? links.findLast((cell) => cell.matches(".alarm")) ?? links.at(-1);
  for (const cell of links) cell.tabIndex = cell === stop ? 0 : -1;
}

document.addEventListener("keydown", (event) => {
  if (!(event.key in STEPS) || !event.target.matches(".heat a.cell")) return;
  event.preventDefault();
  const rows = grid();
  const row = rows.findIndex((cells) => cells.includes(event.target));
  const cell = next(rows, row, rows[row].indexOf(event.target), STEPS[event.key]);
  if (!cell) return;
  kept = cell.getAttribute("href");
  settle();
  cell.focus();
});
document.addEventListener("drawn", settle);
settle();
const box = document.querySelector(".heat");
if (box) box.scrollLeft = box.scrollWidth;
