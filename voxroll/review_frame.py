"""The frame of the page that `review_page` fills: its style, its script and its policy."""

import base64
import hashlib
from string import Template

from voxroll.report_page import STYLE as REPORT_STYLE

STYLE = f"""{REPORT_STYLE}
section {{ margin: 1.4rem 0; }}
section > button {{ margin-left: .4rem; }}
section h2 {{ display: inline; }}
h3 {{ font-size: .95rem; margin: 0 0 .2rem; overflow-wrap: anywhere; }}
article {{ content-visibility: visible; scroll-margin: 11rem 0 1rem;
  margin: .5rem 0; padding: .6rem .9rem; border-left-color: var(--others); }}
article:focus {{ outline: 2px solid var(--window); outline-offset: 1px; }}
article.accepted, article.moved {{ border-left-color: var(--speech); }}
article.rejected {{ border-left-color: var(--rejected); border-left-style: double; }}
article.open .chip {{ border-color: var(--others); border-style: dashed; }}
article.rejected h3 bdi {{ text-decoration: line-through; }}
label {{ font-size: .85rem; color: var(--dim); }}
input {{ font: inherit; font-size: .85rem; width: 6.5rem; padding: .1rem .3rem; color: inherit;
  background: var(--back); border: 1px solid var(--line); border-radius: 4px; }}
input[name=channel] {{ width: 3rem; }}
kbd {{ font: inherit; font-weight: 600; }}
nav {{ display: flex; flex-wrap: wrap; gap: .2rem 1rem; align-items: center; margin: .3rem 0; }}
nav a {{ color: inherit; }}
nav a[aria-current] {{ font-weight: bold; text-decoration: none; }}
header audio {{ flex: 1 1 16rem; max-width: 30rem; }}
.wrong {{ color: var(--rejected); }}
"""

SCRIPT = """
"use strict";
const audio = document.querySelector("audio"), line = document.getElementById("said");
function say(text, wrong) { line.textContent = text; line.className = wrong ? "wrong" : "dim"; }
async function ask(url, options) {
  try {
    const answer = await fetch(url, options);
    if (answer.ok) return answer;
    const told = await answer.json().catch(() => ({ code: answer.status, message: answer.statusText }));
    say(`${told.code}: ${told.message}`, true);
  } catch { say("not_answering: voxroll review has ended; start it again, decisions are kept", true); }
  return null;
}
function cards() { return [...document.querySelectorAll("article")]; }
function fields(card) {
  const found = {};
  for (const one of card.querySelectorAll("input")) if (one.value.trim()) found[one.name] = one.value.trim();
  return found;
}
function step(card, by) {
  const all = cards(), next = all[card ? all.indexOf(card) + by : 0];
  if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
}
let sounding = "";
async function play(card) {
  const asked = new URLSearchParams({ is: card.dataset.is, ...fields(card) });
  const url = `sound/${card.dataset.line}?${asked}`;
  if (url === sounding && !audio.ended) { if (audio.paused) audio.play(); else audio.pause(); return; }
  say("cutting ...");
  const answer = await ask(url);
  if (!answer) return;
  URL.revokeObjectURL(audio.src);
  audio.src = URL.createObjectURL(await answer.blob());
  sounding = url;
  say(`playing ${card.querySelector("h3 bdi").textContent}`);
  audio.play().catch(() => say("not_playing: this browser does not play it before a click on the player", true));
}
function isEdited(card) { return [...card.querySelectorAll("input")].some((one) => one.value !== one.defaultValue); }
async function decide(chosen, decision, card) {
  if (decision === "accept" && chosen.some(isEdited))
    return say("not_saved: the times were changed; Enter in one of them moves there, u takes them back", true);
  const body = { decision, rows: chosen.map((one) => ({ line: Number(one.dataset.line), is: one.dataset.is })) };
  if (decision === "move") { Object.assign(body, fields(card)); say("measuring ..."); }
  const answer = await ask("decide", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (!answer) return;
  const told = await answer.json();
  chosen.forEach((one, index) => { one.outerHTML = told.cards[index]; });
  document.getElementById("sums").textContent = told.sums;
  say(told.said);
  const here = document.querySelector(`article[data-line="${body.rows.at(-1).line}"]`);
  here.focus();
  if (decision === "accept" || decision === "reject") step(here, 1);
}
function act(what, card, near) {
  if (what === "play") return play(card);
  if (what.startsWith("all-"))
    return decide([...near.closest("section").querySelectorAll("article")], what.slice(4), card);
  return decide([card], what, card);
}
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) act(button.dataset.do, button.closest("article"), button);
});
const KEYS = { p: "play", a: "accept", r: "reject", u: "undo" };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const card = event.target.closest("article");
  if (event.target.matches("input")) {
    if (!card) return;
    if (event.key === "Enter") { event.preventDefault(); act("move", card); }
    if (event.key === "Escape") card.focus();
    return;
  }
  if (event.target.matches("audio")) return;
  const by = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  if (by) { event.preventDefault(); return step(card, by); }
  if (!card) return;
  if (event.key === "m") { event.preventDefault(); return card.querySelector("input").select(); }
  const what = event.shiftKey ? { A: "all-accept", R: "all-reject" }[event.key] : KEYS[event.key];
  if (what) { event.preventDefault(); act(what, card, card); }
});
step(null, 0);
"""

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Review of $name</title>
<style>$style</style>
</head>
<body>
<h1>Review of $name</h1>
<p class="dim">Each decision is in the plan at once. What is rejected is not handed in; of what is moved the sample is \
taken between the two times. Nothing leaves this machine.</p>
<header>
<p id="sums">$sums</p>
<nav aria-label="who is shown">$filters<form><label>whose id holds \
<input name="find" value="$find" autocomplete="off"></label></form>\
<audio controls aria-label="the sound of a recording"></audio></nav>
<p class="dim"><kbd>j</kbd> <kbd>k</kbd> next and previous · \
<kbd>p</kbd> play from one time to the other, pause · <kbd>a</kbd> accept · <kbd>r</kbd> reject · \
<kbd>m</kbd> move (Enter saves, Esc leaves) · <kbd>u</kbd> undo · with Shift all of a person</p>
<p id="said" class="dim" role="status">&nbsp;</p>
</header>
<main>
$people</main>
<nav aria-label="pages">$pages</nav>
<script>$script</script>
</body>
</html>
""")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


POLICY = (
    f"default-src 'none'; style-src 'sha256-{_hash(STYLE)}'; script-src 'sha256-{_hash(SCRIPT)}'; "
    "connect-src 'self'; media-src blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
