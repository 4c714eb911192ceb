"use strict";
// Draws the charts one after the other, so that the page can be read and scrolled meanwhile.

const PRINTED_PX = 680;  // what fits on A4 and on Letter
const PRINTED_SHARE = 0.75;  // of a chart's height: two of them on a page

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

async function drawAll() {
  for (const panel of document.querySelectorAll(".panel:has(.packed)")) {
    await draw(panel);
    await new Promise((resolve) => setTimeout(resolve));
  }
  document.documentElement.dataset.state = "ready";
}

addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  for (const chart of document.querySelectorAll(".panel[data-state=drawn] .chart"))
    Plotly.relayout(chart, { width: PRINTED_PX, height: PRINTED_SHARE * chart.dataset.height });
});

addEventListener("afterprint", () => {
  for (const chart of document.querySelectorAll(".panel[data-state=drawn] .chart"))
    Plotly.relayout(chart, { width: null, height: +chart.dataset.height, autosize: true });
});

drawAll();
