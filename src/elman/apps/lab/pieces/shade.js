// Tells every chart the colour of its texts when the page becomes light or dark.
{
  const faint = () => getComputedStyle(document.body).getPropertyValue("--lab-faint");
  let color = faint();
  new MutationObserver(() => {
    if (faint() === color) return;
    color = faint();
    const axis = { axisLabel: { color }, nameTextStyle: { color } }, text = { textStyle: { color } };
    const legend = { ...text, pageTextStyle: { color }, pageIconColor: color };
    const parts = { xAxis: axis, yAxis: axis, legend, visualMap: text, dataZoom: text };
    for (const place of document.querySelectorAll("[_echarts_instance_]")) {
      const { chart } = getElement(Number(place.id.slice(1))), now = chart.getOption();
      const there = Object.entries(parts).filter(([part]) => now[part]);
      chart.setOption(Object.fromEntries(there.map(([part, told]) => [part, now[part].map(() => told)])));
    }
  }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
}
