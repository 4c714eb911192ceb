
// Of a run that is under way: asks for news, and takes over what is new in the page.

const ASK_MS = 1000;
const live = document.getElementById("live");

async function renew(over) {
  const text = await (await fetch("/")).text();
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const names = (of) => Array.from(of.querySelectorAll(".panel"), (panel) => panel.id).join();
  if (names(fresh) !== names(document)) return location.reload();  // a new kind of chart
  for (const part of ["#alarms", ".tiles", "#peers .scrolls"])
    document.querySelector(part).replaceWith(fresh.querySelector(part));
  for (const panel of fresh.querySelectorAll(".panel")) await replace(panel, over);
  live.dataset.version = fresh.getElementById("live").dataset.version;
}

async function replace(panel, over) {
  const old = document.getElementById(panel.id);
  const chartOf = (of) => of.querySelector(".packed")?.textContent;
  if (chartOf(old) === chartOf(panel)) return;
  if (old.matches(":hover") && !over) return;  // somebody reads it
  old.replaceWith(panel);
  if (old.dataset.state) Plotly.purge(old.querySelector(".chart"));
  if (chartOf(panel)) await draw(panel);
}

async function ask() {
  try {
    const { version, over } = await (await fetch("/news")).json();
    if (version !== live.dataset.version) await renew(over);
    if (over && version === live.dataset.version) {
      live.textContent = "The run is over. This is its report; the run folder has it too.";
      live.dataset.state = "over";
      await fetch("/", { method: "POST" });
      return;
    }
  } catch {
    live.textContent = "The run does not answer any more; see its folder for what it left.";
    live.dataset.state = "gone";
    return;
  }
  setTimeout(ask, ASK_MS);
}

new Promise((resolve) => addEventListener("load", resolve)).then(ask);
