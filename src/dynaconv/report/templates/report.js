(function () {
  "use strict";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

  function themed(plot) {
    const layout = plot.layout;
    layout.font = { family: getComputedStyle(document.body).fontFamily, size: 12.5, color: colour("soft") };
    layout.hoverlabel = { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("text") } };
    for (const key of Object.keys(layout)) {
      if (/^[xy]axis/.test(key)) {
        Object.assign(layout[key], { gridcolor: colour("grid"), linecolor: colour("line"), zeroline: false });
        Object.assign(layout[key], { fixedrange: true });
      }
    }
    for (const trace of plot.data) {
      if (trace.type === "heatmap") {
        trace.colorscale = [[0, colour("cold")], [0.5, colour("middle")], [1, colour("warm")]];
      }
    }
    return plot;
  }

  function drawAll() {
    for (const node of document.querySelectorAll("[data-plot]")) {
      const plot = themed(JSON.parse(document.getElementById(node.dataset.plot).textContent));
      Plotly.react(node, plot.data, plot.layout, { responsive: true, displaylogo: false, displayModeBar: false });
    }
  }

  drawAll();
  dark.addEventListener("change", drawAll);
})();
