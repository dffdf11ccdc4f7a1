// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// What makes the page more convenient: buttons that copy, and a refresh. Everything works without it.
"use strict";

function addCopyButtons(within) {
  for (const source of within.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy-button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy " + source.textContent.trim().slice(0, 80));
    const text = source.textContent;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(source);
        button.textContent = "Press Ctrl+C";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    source.after(button);
  }
}

// Whoever is reading, typing or marking something isn't interrupted.
function busy(main) {
  return document.hidden || !getSelection().isCollapsed || ![document.body, main].includes(document.activeElement);
}

async function refresh() {
  const main = document.querySelector("main");
  if (busy(main)) {
    return;
  }
  const response = await fetch(location.href, { cache: "no-store" });
  if (!response.ok) {
    return;
  }
  const next = new DOMParser().parseFromString(await response.text(), "text/html");
  if (busy(main)) {
    return;
  }
  for (const part of ["header", "main", "footer"]) {
    document.querySelector(part).replaceChildren(...next.querySelector(part).childNodes);
  }
  addCopyButtons(main);
}

addCopyButtons(document);
const seconds = Number(document.body.dataset.refresh);
if (seconds > 0) {
  setInterval(() => { refresh().catch(() => {}); }, seconds * 1000);
}
