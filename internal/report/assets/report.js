"use strict";
(() => {
  const root = document.documentElement;
  const filter = document.querySelector(".filter");
  if (!filter) return;
  root.classList.add("js");
  const items = [...document.querySelectorAll("[data-status]")];
  const blocks = [...document.querySelectorAll(".check, .filtered")];
  const names = ["status", "cluster", "check", "q"];
  const fields = Object.fromEntries(names.map((n) => [n, filter.querySelector(`[name=${n}]`)]));
  const boxes = [...filter.querySelectorAll("[name=severity]")];
  const shown = document.getElementById("shown");
  const nothing = document.getElementById("nothing");
  const reset = document.getElementById("reset");
  const texts = new Map();
  const text = (item) => {
    if (!texts.has(item)) {
      const check = item.closest(".check");
      const title = check ? check.querySelector("h3").textContent + " " : "";
      texts.set(item, (title + item.dataset.check + " " + item.textContent).toLowerCase());
    }
    return texts.get(item);
  };

  const apply = () => {
    const severities = boxes.filter((b) => b.checked).map((b) => b.value);
    const words = fields.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const item of items) {
      const d = item.dataset;
      const ok = (!severities.length || severities.includes(d.severity)) &&
        ["status", "cluster", "check"].every((n) => !fields[n].value || fields[n].value === d[n]) &&
        (!words.length || words.every((w) => text(item).includes(w)));
      item.hidden = !ok;
      if (ok) count++;
    }
    for (const block of blocks) {
      const own = block.querySelectorAll("[data-status]:not([hidden])").length;
      block.hidden = own === 0;
      const n = block.querySelector(":scope > summary .n b");
      if (n) n.textContent = own;
    }
    shown.textContent = count === items.length ? `${items.length} shown` : `${count} of ${items.length} shown`;
    nothing.hidden = count > 0;
    reset.hidden = !severities.length && names.every((n) => !fields[n].value);
  };

  const save = () => {
    const state = new URLSearchParams();
    const severities = boxes.filter((b) => b.checked).map((b) => b.value).join(",");
    if (severities) state.set("severity", severities);
    for (const n of names) if (fields[n].value) state.set(n, fields[n].value);
    history.replaceState(null, "", state.size ? "#" + state : location.pathname + location.search);
  };

  // A hash is a filter (key=value) or the id of a finding, which is then opened.
  const load = () => {
    const hash = location.hash.slice(1);
    if (hash && !hash.includes("=")) {
      const target = document.getElementById(hash);
      if (!target || !target.matches("details")) return;
      for (let d = target; d; d = d.parentElement.closest("details")) d.open = true;
      target.scrollIntoView();
      return;
    }
    const state = new URLSearchParams(hash);
    const severities = (state.get("severity") || "").split(",");
    for (const b of boxes) b.checked = severities.includes(b.value);
    for (const n of names) fields[n].value = state.get(n) || "";
    for (const n of ["status", "cluster", "check"]) if (fields[n].selectedIndex < 0) fields[n].value = "";
    apply();
  };

  let pending = 0;
  filter.addEventListener("input", () => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => { apply(); save(); });
  });
  reset.addEventListener("click", () => {
    for (const b of boxes) b.checked = false;
    for (const n of names) fields[n].value = "";
    apply();
    save();
  });
  addEventListener("hashchange", load);
  apply();
  load();

  // Copy buttons are made when a finding is opened: thousands of them would only slow the page down.
  const copy = async (button, code) => {
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
      getSelection().removeAllRanges();
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };
  document.addEventListener("toggle", (event) => {
    const finding = event.target;
    if (!finding.open || !finding.matches(".finding")) return;
    for (const block of finding.querySelectorAll(".code")) {
      if (block.querySelector("button")) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Copy";
      button.addEventListener("click", () => copy(button, block.querySelector("code")));
      block.append(button);
    }
  }, true);

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")].filter((d) => d.matches(".check, .finding"));
    for (const d of closed) d.open = true;
  });
  addEventListener("afterprint", () => { for (const d of closed) d.open = false; });
})();
