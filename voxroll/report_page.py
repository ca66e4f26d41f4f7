"""The frame of the page that `report` fills: its style, its script and its policy.

Colours are those of Okabe and Ito, which people with any kind of colour blindness tell apart; each kind of span has its
own lane besides, and each stretch its label.
"""

from string import Template

STYLE = """
:root { color-scheme: light dark; --back: #fff; --card: #f6f7f8; --line: #d5d9dd; --text: #16191c; --dim: #59626b;
  --wave: #8a949e; --speech: #009e73; --others: #e69f00; --music: #cc79a7; --tones: #000; --window: #0072b2;
  --rejected: #d55e00; }
@media (prefers-color-scheme: dark) { :root { --back: #111416; --card: #1b1f23; --line: #363c42; --text: #e8ebee;
  --dim: #a2abb4; --wave: #79838d; --tones: #fff; --window: #56b4e9; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem; background: var(--back); color: var(--text);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.3rem; margin: 0 0 .3rem; }
h2 { font-size: 1rem; margin: 0 0 .2rem; overflow-wrap: anywhere; }
p { margin: .15rem 0; max-width: 60rem; overflow-wrap: anywhere; }
.dim, figcaption, dt, header p { color: var(--dim); }
header { position: sticky; top: 0; z-index: 1; background: var(--back); padding: .5rem 0; border-bottom: 1px solid
  var(--line); }
article { content-visibility: auto; contain-intrinsic-size: auto 260px; margin: 1rem 0; padding: .8rem 1rem;
  background: var(--card); border: 1px solid var(--line); border-left: 5px solid var(--window); border-radius: 6px; }
article.refused { border-left-color: var(--rejected); border-left-style: double; }
.chip { display: inline-block; padding: 0 .5rem; border: 1px solid var(--window); border-radius: 1rem;
  font-size: .85rem; }
.refused .chip { border-color: var(--rejected); border-style: dashed; }
dl { display: flex; flex-wrap: wrap; gap: .2rem .9rem; margin: .4rem 0; }
dt, dd { display: inline; margin: 0 .3rem 0 0; font-variant-numeric: tabular-nums; }
figure { margin: .5rem 0; }
figcaption, dl, .legend { font-size: .85rem; }
svg.channel { display: block; cursor: pointer; background: var(--back); border-radius: 4px; }
path.wave { fill: var(--wave); }
path.speech, .speech rect { fill: var(--speech); }
path.others, .others rect { fill: var(--others); }
path.music, .music rect { fill: var(--music); }
path.tones, .tones rect { fill: var(--tones); }
g rect { fill-opacity: .16; stroke-width: 1.5; }
g.window rect { fill: var(--window); stroke: var(--window); }
g.rejected rect { fill: var(--rejected); fill-opacity: .08; stroke: var(--rejected); stroke-dasharray: 4 3; }
g text { fill: var(--text); font-size: 12px; }
.play { display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; }
audio { height: 34px; }
button { font: inherit; font-size: .85rem; padding: .1rem .6rem; color: inherit; background: none; cursor: pointer;
  border: 1px solid var(--line); border-radius: 1rem; }
button[aria-pressed=true] { background: var(--text); color: var(--back); }
button.window { border-color: var(--window); }
button.rejected { border-color: var(--rejected); border-style: dashed; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin-top: .4rem; }
.legend svg { width: 22px; height: 12px; vertical-align: -1px; margin-right: .3rem; }
[hidden] { display: none; }
@media (max-width: 45rem) { header { position: static; } }
"""

SCRIPT = """
"use strict";
let until = Infinity, playing = null;
function stop() {
  if (!playing || playing.paused) return;
  if (playing.currentTime >= until) playing.pause(); else requestAnimationFrame(stop);
}
function play(audio, start, end) {
  if (playing && playing !== audio) playing.pause();
  playing = audio; until = end;
  const seek = () => { audio.currentTime = start; };
  if (audio.readyState) seek(); else audio.addEventListener("loadedmetadata", seek, { once: true });
  audio.play().then(stop, () => { audio.title = "This browser can't play the recording, or it has moved."; });
}
function show(button) {
  for (const one of document.querySelectorAll("[data-show]")) one.setAttribute("aria-pressed", one === button);
  const what = button.dataset.show;
  for (const card of document.querySelectorAll("article"))
    card.hidden = what && !card.classList.contains(what) && card.dataset.code !== what;
}
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-show]");
  if (button) return show(button);
  const card = event.target.closest("article"), audio = card && card.querySelector("audio");
  const stretch = event.target.closest("[data-start]"), channel = event.target.closest("[data-length]");
  if (!audio) return;
  if (stretch) return play(audio, Number(stretch.dataset.start), Number(stretch.dataset.end));
  if (!channel) return;
  const box = channel.getBoundingClientRect();
  const share = (event.clientX - box.left) / box.width;
  play(audio, Number(channel.dataset.begin) + share * Number(channel.dataset.length), Infinity);
});
"""

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-$style_hash'; \
script-src 'sha256-$script_hash'; media-src 'self' file:; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Recordings checked by Voxroll</title>
<style>$style</style>
</head>
<body>
<h1>Recordings checked</h1>
<p class="dim">This page holds no sound: voices are biometric data, so it refers to the recordings where they lie, and \
plays them only while they lie there. A click on a stretch plays it alone; a click on a channel plays from there on. \
Players play all channels of a recording.</p>
<header>
<div>$totals</div>
<div class="legend">
<span class="window"><svg viewBox="0 0 22 12"><g class="window"><rect x="1" y="1" width="20" height="10"/></g></svg>\
will do, best first</span>
<span><svg viewBox="0 0 22 12"><g class="rejected"><rect x="1" y="1" width="20" height="10"/></g></svg>\
will not do, and why</span>
<span class="speech"><svg viewBox="0 0 22 12"><rect y="4" width="22" height="5"/></svg>the speaker (first lane)</span>
<span class="others"><svg viewBox="0 0 22 12"><rect y="4" width="22" height="5"/></svg>somebody else (second)</span>
<span class="music"><svg viewBox="0 0 22 12"><rect y="4" width="22" height="5"/></svg>music (third)</span>
<span class="tones"><svg viewBox="0 0 22 12"><rect y="4" width="22" height="5"/></svg>tones (fourth)</span>
</div>
</header>
<main>
$cards</main>
<script>$script</script>
</body>
</html>
""")
