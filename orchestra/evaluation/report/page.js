"use strict";
// Searches the transcripts and opens the one that an address names. Without it the page can be read all the same.
const search = document.getElementById("search");
const words = search.querySelector("input");
const state = search.querySelector("select");
const count = search.querySelector("output");
const runs = [...document.querySelectorAll("details.run")];
const texts = runs.map((run) => run.textContent.toLowerCase());

function show() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  runs.forEach((run, at) => {
    const fits = !state.value || run.dataset.state === state.value;
    run.hidden = !(fits && wanted.every((word) => texts[at].includes(word)));
    shown += !run.hidden;
  });
  count.value = `${shown} of ${runs.length} runs`;
}

function open() {
  const run = document.getElementById(location.hash.slice(1));
  if (run && run.classList.contains("run")) {
    run.hidden = false;
    run.open = true;
    run.scrollIntoView();
  }
}

words.addEventListener("input", show);
state.addEventListener("change", show);
window.addEventListener("hashchange", open);
search.hidden = false;
show();
open();
