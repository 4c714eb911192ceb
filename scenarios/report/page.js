"use strict";
// Draws the charts one after the other: first those in view, then, whenever nothing else is to be
// done, the next one of the rest, so that the page can be read, scrolled and printed meanwhile.

const PRINTED_PX = 680;  // what fits on A4 and on Letter
const PRINTED_SHARE = 0.75;  // of a chart's height: two of them on a page; of one with a slider, all
const page = document.documentElement;
const undrawn = new Set(document.querySelectorAll(".panel:has(.packed)"));
const inView = new Set();  // those of them that are in view

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

function fit(layout) {
  // A finger scrolls the page; it must not drag a zoom instead.
  if (matchMedia("(pointer: coarse)").matches) layout.dragmode = false;
  if (innerWidth < 600) {
    layout.font.size = 11;
    layout.margin.l = 45;
    layout.margin.r = 8;
    for (const slider of layout.sliders ?? []) {
      // Not beside the buttons, but below them.
      slider.x = 0;
      slider.len = 1;
      slider.pad.t += 70;
      layout.height += 70;
    }
  }
}

async function draw(panel) {
  const chart = panel.querySelector(".chart");
  try {
    const figure = await unpack(panel.querySelector(".packed").textContent);
    fit(figure.layout);
    figure.config = {
      responsive: true,
      displayModeBar: false,
    };
    await Plotly.newPlot(chart, figure);
    chart.dataset.height = figure.layout.height;
    panel.dataset.state = "drawn";
  } catch (error) {
    panel.dataset.state = "failed";
    chart.textContent = "This chart could not be drawn: " + error;
    console.error(error);
  }
}

function look() {
  return new Promise((resolve) => {
    const watch = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries)
        isIntersecting ? inView.add(target) : inView.delete(target);
      resolve();
    });
    for (const panel of undrawn) watch.observe(panel);
    if (!undrawn.size) resolve();
  });
}

function idle() {
  // Not every browser says when it is.
  return new Promise((resolve) => (window.requestIdleCallback ?? setTimeout)(resolve));
}

function holdLoad() {
  // A frame that is still being written keeps the page loading: who prints it from a command line
  // waits for that. Returns what lets it end.
  const frame = document.body.appendChild(document.createElement("iframe"));
  frame.hidden = true;
  frame.contentDocument.open();
  return () => {
    frame.contentDocument.close();
    frame.remove();
  };
}

async function drawAll() {
  const letLoad = holdLoad();
  await look();
  while (undrawn.size) {
    const panel = [...undrawn].find((each) => inView.has(each)) ?? undrawn.values().next().value;
    if (!inView.has(panel)) page.dataset.state = "open";
    undrawn.delete(panel);
    await draw(panel);
    await idle();
  }
  page.dataset.state = "ready";
  letLoad();
}

addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  for (const chart of document.querySelectorAll(".panel[data-state=drawn] .chart")) {
    const share = chart.layout.sliders ? 1 : PRINTED_SHARE;
    Plotly.relayout(chart, { width: PRINTED_PX, height: share * chart.dataset.height });
  }
});

addEventListener("afterprint", () => {
  for (const chart of document.querySelectorAll(".panel[data-state=drawn] .chart"))
    Plotly.relayout(chart, { width: null, height: +chart.dataset.height, autosize: true });
});

drawAll();
