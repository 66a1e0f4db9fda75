// The details of a span open beside the waterfall without loading the page again.
"use strict";

async function openSpan(address) {
  const answer = await fetch(address, { headers: { accept: "text/html" } });
  if (!answer.ok || answer.redirected) { location.assign(address); return; }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const panel = fresh.getElementById("span");
  if (!panel) { location.assign(address); return; }
  document.getElementById("span").replaceWith(panel);
  const chosen = fresh.querySelector(".waterfall .chosen");
  for (const row of document.querySelectorAll(".waterfall tbody tr")) {
    const isChosen = chosen !== null && row.id === chosen.id;
    row.classList.toggle("chosen", isChosen);
    if (isChosen) row.querySelector("a").setAttribute("aria-current", "true");
    else row.querySelector("a").removeAttribute("aria-current");
  }
  history.replaceState(null, "", address);
  document.dispatchEvent(new Event("swapped"));
  document.getElementById("said").textContent = document.getElementById("span-name").textContent;
  // where the panel stands below, it is gone to
  if (panel.getBoundingClientRect().top > innerHeight) panel.scrollIntoView();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest(".trace a[href*='#span']");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  openSpan(link.href).catch(() => location.assign(link.href));
});
