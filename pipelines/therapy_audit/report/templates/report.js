"use strict";
(() => {
  // ---- pages: one is shown, and its address says which -------------------------------------------------------------
  const pages = [...document.querySelectorAll(".page")];
  const people = document.getElementById("clinicians");
  const name_of = document.title;
  let enter = () => {}; // what a page needs once the data is there
  const asked = () => {
    const [id, query = ""] = location.hash.slice(1).split("?");
    return { id: decodeURIComponent(id), query: new URLSearchParams(query) };
  };
  const route = (moved) => {
    const { id } = asked();
    const target = document.getElementById(id) || pages[0], page = target.closest(".page");
    if (!page) { target.setAttribute("tabindex", "-1"); target.focus(); return; } // past the links, on the same page
    for (const one of pages) one.classList.toggle("current", one === page);
    const links = [...document.querySelectorAll("nav a")];
    for (const link of links) {
      if (document.getElementById(link.hash.slice(1))?.closest(".page") === page) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const chosen = links.find((link) => link.hasAttribute("aria-current"));
    const person = target.closest(".person");
    people.classList.toggle("single", Boolean(person));
    for (const one of people.querySelectorAll(".person")) one.classList.toggle("current", one === person);
    document.title = `${person ? person.querySelector("h2").firstChild.textContent.trim() : chosen ? chosen.textContent : ""} · ${name_of}`;
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    for (const one of document.querySelectorAll(".aimed")) one.classList.remove("aimed");
    if (target.tagName === "TR") target.classList.add("aimed");
    enter(page);
    if (!moved) return;
    chosen?.scrollIntoView({ block: "nearest", inline: "nearest" });
    // Back and forward find the page where it was left.
    if (history.state && "y" in history.state) { window.scrollTo(0, history.state.y); return; }
    const first = target === page || target === page.querySelector("section") || target === person;
    if (first) window.scrollTo(0, 0); else target.scrollIntoView();
    const head = target.matches("h2, h3, tr, table") ? target : target.querySelector("h2") || target;
    head.setAttribute("tabindex", "-1");
    head.focus({ preventScroll: true });
  };
  history.scrollRestoration = "manual";
  document.addEventListener("click", (event) => {
    if (event.target.closest?.('a[href^="#"]')) history.replaceState({ y: window.scrollY }, "");
  });
  window.addEventListener("hashchange", () => route(true));
  route(Boolean(location.hash));

  document.addEventListener("DOMContentLoaded", () => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const element = (name, text, className) => {
    const node = document.createElement(name);
    if (text !== undefined && text !== null) node.textContent = text;
    if (className) node.className = className;
    return node;
  };
  const money = (value, digits = 2) =>
    value.toLocaleString("en-US", { style: "currency", currency: "USD", minimumFractionDigits: digits, maximumFractionDigits: digits });
  const words = (name) => name.replace(/_/g, " ");
  const day = (iso) => new Date(iso + "T00:00:00Z").toLocaleDateString("en-US", { month: "short", day: "numeric", year: "numeric", timeZone: "UTC" });
  const month = (iso) => new Date(iso + "-01T00:00:00Z").toLocaleDateString("en-US", { month: "short", year: "numeric", timeZone: "UTC" });

  // ---- charts -------------------------------------------------------------------------------------------------
  const palettes = {
    light: { ink: "#1a2129", soft: "#55606d", grid: "#e3e7ec", over: "#c2453b", under: "#1f8a70", error: "#c2453b", warning: "#d09a2c", info: "#4a7fc4", idle: "#8b96a3", scores: [[0, "#d9701a"], [0.5, "#eda45c"], [0.8, "#f7d6a8"], [1, "#eef3f8"]] },
    dark: { ink: "#e8ecf1", soft: "#a6b0bd", grid: "#343d48", over: "#e8786e", under: "#4fb79b", error: "#e8786e", warning: "#d6a53d", info: "#79a9e6", idle: "#7d8793", scores: [[0, "#b35c08"], [0.5, "#7d4614"], [0.8, "#513b24"], [1, "#26303a"]] },
  };
  const settings = { displaylogo: false, showSendToCloud: false, plotlyServerURL: "", displayModeBar: false };
  // Plotly reads markup in labels; a payer's or clinician's name is text.
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const cut = (text, width) => plain(text.length * 6.5 > width ? text.slice(0, Math.max(8, Math.floor(width / 6.5) - 1)) + "…" : text);

  const base = (colours, width, height) => ({
    width, height, margin: { l: 4, r: 4, t: 8, b: 8 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: 'system-ui, "Segoe UI", Roboto, Arial, sans-serif', size: 13, color: colours.ink },
    dragmode: false, showlegend: false, hoverlabel: { align: "left" }, bargap: 0.55,
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", itemclick: false, itemdoubleclick: false },
  });

  // Horizontal bars with each label above its bars, so that no label is ever cut by a margin.
  const bars = (rows, series, colours, width, extra = {}) => {
    const tall = 27 + 21 * series.length;
    const layout = base(colours, width, rows.length * tall + (series.length > 1 ? 44 : 16));
    const top = Math.max(...rows.flatMap((row) => series.map((one) => one.value(row))), extra.least || 0);
    const room = series.some((one) => rows.some(one.text)) ? 110 : 10;
    layout.xaxis = { range: [0, top * (1 + room / Math.max(width - room, 110)) || 1], visible: false, fixedrange: true };
    layout.yaxis = { range: [rows.length - 0.5, -0.5], visible: false, fixedrange: true };
    layout.showlegend = series.length > 1;
    layout.margin.t = series.length > 1 ? 34 : 8;
    const unit = 1 / tall; // one pixel, in rows
    layout.annotations = rows.map((row, at) => ({
      x: 0, xref: "paper", xanchor: "left", y: at - 0.5 + 12 * unit, yanchor: "middle", text: cut(row.label, width), showarrow: false, font: { size: 13, color: colours.ink },
    }));
    layout.shapes = extra.shapes || [];
    const traces = series.map((one, place) => ({
      type: "bar", orientation: "h", name: one.name || "", x: rows.map(one.value), y: rows.map((_, at) => at - 0.5 + (32 + 21 * place) * unit),
      width: 15 * unit, marker: { color: rows.map((row) => one.colour(row, colours)) }, text: rows.map(one.text), textposition: "outside", cliponaxis: false,
      textfont: { size: 12, color: colours.soft }, customdata: rows.map((row) => plain(one.hover(row))), hovertemplate: "%{customdata}<extra></extra>",
    }));
    // A legend shows a trace's first colour, so traces keep one colour where there are several.
    if (series.length > 1) traces.forEach((trace, place) => { trace.marker.color = series[place].colour(null, colours); });
    layout.barmode = "overlay";
    return [traces, layout];
  };

  const amounts = (rows) => [
    { name: "At risk of repayment", value: (row) => row.overpayment_amount, colour: (_, c) => c.over, text: (row) => (row.overpayment_amount ? money(row.overpayment_amount, 0) : ""), hover: (row) => `${row.label}: ${money(row.overpayment_amount)} at risk` },
    { name: "Under-billed", value: (row) => row.underpayment_amount, colour: (_, c) => c.under, text: (row) => (row.underpayment_amount ? money(row.underpayment_amount, 0) : ""), hover: (row) => `${row.label}: ${money(row.underpayment_amount)} under-billed` },
  ].filter((one, at) => at === 0 || rows.some((row) => one.value(row)));

  const charts = {
    rules: (rows, colours, width) => bars(rows, [{
      value: (row) => row.amount, colour: (row, c) => (row.direction === "underpayment" ? c.under : c[row.severity]),
      text: (row) => money(row.amount, 0),
      hover: (row) => `${row.label}: ${money(row.amount)} in ${row.findings.toLocaleString("en-US")} findings (${row.severity})`,
    }], colours, width),
    payers: (rows, colours, width) => bars(rows, amounts(rows), colours, width),
    clinicians: (rows, colours, width) => bars(rows, amounts(rows), colours, width),
    months: (rows, colours, width) => {
      const layout = base(colours, width, 330);
      layout.margin = { l: 56, r: 8, t: 34, b: 36 };
      layout.bargap = 0.35;
      layout.showlegend = true;
      layout.xaxis = { type: "category", fixedrange: true, tickfont: { color: colours.soft } };
      layout.yaxis = { fixedrange: true, tickprefix: "$", tickformat: "~s", gridcolor: colours.grid, zerolinecolor: colours.grid, tickfont: { color: colours.soft }, rangemode: "tozero" };
      const short = (value) => (value >= 10000 ? `$${(value / 1000).toFixed(value >= 100000 ? 0 : 1)}k` : money(value, 0));
      return [amounts(rows).map((one) => ({
        type: "bar", name: one.name, x: rows.map((row) => row.label), y: rows.map(one.value), marker: { color: one.colour(null, colours) },
        text: rows.length * 2 * 44 < width ? rows.map((row) => (one.value(row) ? short(one.value(row)) : "")) : undefined, textposition: "outside", cliponaxis: false, textangle: 0,
        textfont: { size: 12, color: colours.soft }, customdata: rows.map(one.hover), hovertemplate: "%{customdata}<extra></extra>",
      })), layout];
    },
    // One cell for each clinician and month, its number in it; low scores stand out in either scheme.
    documentation: (rows, colours, width) => {
      const months = rows[0].months.map((one) => one.label);
      const left = Math.min(190, Math.max(...rows.map((row) => 7 * row.label.length + 26)), Math.floor(width * 0.38));
      const cell = (width - left - 6) / months.length;
      const layout = base(colours, width, (rows.length > 15 ? 22 : 30) * rows.length + 40);
      layout.margin = { l: left, r: 6, t: 32, b: 6 };
      layout.xaxis = { type: "category", side: "top", fixedrange: true, showgrid: false, zeroline: false, ticks: "", tickfont: { color: colours.soft, size: 12 }, tickangle: cell < 62 ? -60 : 0, automargin: true };
      layout.yaxis = { autorange: "reversed", fixedrange: true, showgrid: false, zeroline: false, ticks: "", tickmode: "array", tickvals: rows.map((_, at) => at), ticktext: rows.map((row) => cut(row.label, left - 20)), tickfont: { color: colours.ink } };
      return [[{
        type: "heatmap", x: months, z: rows.map((row) => row.months.map((one) => one.score ?? null)), zmin: 0, zmax: 100, showscale: false, xgap: 2, ygap: 2, colorscale: colours.scores,
        text: rows.map((row) => row.months.map((one) => (one.scored ? one.score.toFixed(0) : ""))), texttemplate: cell < 26 ? "" : "%{text}", textfont: { size: 12, color: colours.ink }, hoverongaps: false,
        customdata: rows.map((row) => row.months.map((one) => plain(one.scored ? `${row.label}, ${one.label}: ${one.score} on average of ${one.scored.toLocaleString("en-US")} ${one.scored === 1 ? "note" : "notes"}` : ""))), hovertemplate: "%{customdata}<extra></extra>",
      }], layout];
    },
    denials: (rows, colours, width) => bars(rows, [
      { name: "Open", value: (row) => row.open_amount, colour: (_, c) => c.over, text: (row) => (row.open_amount ? money(row.open_amount, 0) : ""), hover: (row) => `${row.label}: ${money(row.open_amount)} open` },
      { name: "Recovered", value: (row) => row.recovered_amount, colour: (_, c) => c.under, text: (row) => (row.recovered_amount ? money(row.recovered_amount, 0) : ""), hover: (row) => `${row.label}: ${money(row.recovered_amount)} recovered` },
      { name: "Patient's or written off", value: (row) => row.given_up_amount, colour: (_, c) => c.idle, text: (row) => (row.given_up_amount ? money(row.given_up_amount, 0) : ""), hover: (row) => `${row.label}: ${money(row.given_up_amount)} the patient's or written off` },
    ], colours, width),
    ages: (rows, colours, width) => {
      const layout = base(colours, width, 300);
      layout.margin = { l: 56, r: 8, t: 22, b: 44 };
      layout.bargap = 0.35;
      layout.xaxis = { type: "category", fixedrange: true, tickfont: { color: colours.soft }, title: { text: "days since the denial", font: { size: 12, color: colours.soft } } };
      layout.yaxis = { fixedrange: true, tickprefix: "$", tickformat: "~s", gridcolor: colours.grid, zerolinecolor: colours.grid, tickfont: { color: colours.soft }, rangemode: "tozero" };
      return [[{
        type: "bar", x: rows.map((row) => row.label), y: rows.map((row) => row.amount), marker: { color: colours.over },
        text: rows.map((row) => (row.amount ? money(row.amount, 0) : "")), textposition: "outside", cliponaxis: false, textangle: 0, textfont: { size: 12, color: colours.soft },
        customdata: rows.map((row) => `${plain(row.label)} days: ${money(row.amount)} open in ${row.denials.toLocaleString("en-US")} ${row.denials === 1 ? "denial" : "denials"}`), hovertemplate: "%{customdata}<extra></extra>",
      }], layout];
    },
    kx: (rows, colours, width) => bars(rows, [{
      value: (row) => row.share, colour: (row, c) => (row.without ? c.error : row.share >= 1 ? c.idle : c.warning), text: () => "",
      hover: (row) => `${row.label}: ${row.lower ? "at least " : ""}${row.used} of ${row.threshold}`,
    }], colours, width, { least: 1.05, shapes: [{ type: "line", x0: 1, x1: 1, yref: "paper", y0: 0, y1: 1, layer: "below", line: { color: colours.soft, width: 1.5, dash: "dot" } }] }),
  };

  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  // Plotly takes longer to start than all the rest, so it starts when the first chart is to be seen.
  const started = () => {
    if (window.Plotly) return;
    const script = element("script", document.getElementById("plotly").textContent);
    document.head.append(script);
  };
  const draw = (scheme, width) => {
    for (const [name, chart] of Object.entries(charts)) {
      const node = document.getElementById("chart-" + name);
      const rows = data.charts[name];
      if (!node || (!width && !node.clientWidth)) continue;
      if (!rows.length) { node.textContent = "No amounts to draw."; continue; }
      const as = `${scheme} ${width || node.clientWidth}`;
      if (node.dataset.drawn === as) continue;
      started();
      const [traces, layout] = chart(rows, palettes[scheme], width || node.clientWidth);
      Plotly.react(node, traces, layout, settings);
      if (!node.dataset.drawn) {
        // A bar leads where its number in the table does.
        node.on("plotly_click", (event) => {
          const place = event.points[0].pointIndex, row = rows[Array.isArray(place) ? place[0] : place];
          if (row.link) { history.replaceState({ y: window.scrollY }, ""); location.hash = row.link; }
        });
      }
      node.dataset.drawn = as;
    }
  };
  const redraw = () => draw(dark.matches ? "dark" : "light");

  // ---- findings -----------------------------------------------------------------------------------------------
  const list = document.getElementById("list");
  let render = () => {}, find;
  if (list) {
    const SIZE = 25, PRINTED = 100;
    const get = {}, columns = data.findings;
    for (const [name, column] of Object.entries(columns)) {
      get[name] = Array.isArray(column) ? (at) => column[at] : (at) => column.values[column.at[at]];
    }
    const clinician = (npi) => (npi ? data.clinicians[npi] || npi : "none");
    const title = (rule) => (data.rules[rule] || { title: rule }).title;
    const words_of = { rule: title, rendering_npi: clinician, month, severity: words, direction: words, payer: (value) => value || "none", hcpcs_code: (value) => value || "none" };
    const severities = { error: 0, warning: 1, info: 2 };
    // What is searched is put together while nobody waits; a search that comes sooner does the rest at once.
    const searched = [];
    const prepare = (until) => {
      for (let at = searched.length; at < until; at += 1) {
        searched.push([
          get.message(at), title(get.rule(at)), get.rule(at), get.claim_id(at), get.patient_id(at), get.hcpcs_code(at), get.service_date(at), get.rendering_npi(at),
          clinician(get.rendering_npi(at)), get.payer(at), get.finding_id(at), get.source_file(at) + ":" + get.source_row(at),
        ].join("\n").toLowerCase());
      }
    };
    const idly = window.requestIdleCallback || ((work) => setTimeout(work, 50));
    const idle = (deadline) => {
      do prepare(Math.min(data.count, searched.length + 500)); while (searched.length < data.count && deadline?.timeRemaining() > 5);
      if (searched.length < data.count) idly(idle);
    };
    // Dollars by line: each stake as the number of its line and its cents.
    const staked = { first: new Int32Array(data.count + 1), line: [], cents: [], lines: 0 };
    for (let at = 0; at < data.count; at += 1) {
      for (const stake of (get.stakes(at) || "").split(" ")) {
        const cut = stake.indexOf(":");
        if (cut < 0) continue;
        const line = Number(stake.slice(0, cut));
        staked.line.push(line);
        staked.cents.push(Number(stake.slice(cut + 1)));
        if (line >= staked.lines) staked.lines = line + 1;
      }
      staked.first[at + 1] = staked.line.length;
    }

    const body = list.tBodies[0];
    const search = document.getElementById("search");
    const selects = [...document.querySelectorAll("#filters select")];
    const headers = [...list.querySelectorAll("th[data-sort]")];
    const state = { sort: "amount_at_risk", down: true, page: 0, at: [], opened: new Set(), pins: {} };
    // Filters that only a link sets: they stand above the list, each with a button that takes it away.
    const pinned = { claim_id: "Claim", patient_id: "Patient", finding_id: "Finding", plan: "Plan" };

    for (const select of selects) {
      const name = select.dataset.column;
      const { values, at: places } = columns[name], totals = new Int32Array(values.length);
      for (const place of places) totals[place] += 1;
      const counts = values.map((value, place) => [value, totals[place]]);
      select.append(new Option("All", ""));
      // A value of JSON keeps "no payer" apart from a payer whose name is empty.
      const label = (value) => words_of[name](value);
      const entries = [...counts].sort((a, b) => (name === "severity" ? severities[a[0]] - severities[b[0]] : label(a[0]) < label(b[0]) ? -1 : 1));
      for (const [value, count] of entries) select.append(new Option(`${label(value)} (${count.toLocaleString("en-US")})`, JSON.stringify(value)));
    }
    const labels = { amount_at_risk: "Amount", severity: "Severity", rule: "What is wrong", service_date: "Service date", claim_id: "Claim-line", rendering_npi: "Clinician", payer: "Payer" };
    for (const header of headers) {
      const button = element("button", labels[header.dataset.sort]);
      button.type = "button";
      header.dataset.label = button.textContent;
      button.addEventListener("click", () => {
        const name = header.dataset.sort;
        state.down = state.sort === name ? !state.down : name === "amount_at_risk";
        state.sort = name;
        update();
      });
      header.append(button);
    }

    // What a column is sorted by: a number per row, so that nothing is compared twice.
    const keys = {};
    const key = (name) => {
      if (keys[name]) return keys[name];
      const column = columns[name];
      if (Array.isArray(column)) return (keys[name] = column);
      const said = (value) => (name === "severity" ? severities[value] : name === "rule" || name === "rendering_npi" ? words_of[name](value).toLowerCase() : value ?? "");
      const order = column.values.map((value, place) => [said(value), place]).sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
      const ranks = new Int32Array(order.length);
      let rank = 0;
      order.forEach(([value, place], at) => { if (at && order[at - 1][0] !== value) rank += 1; ranks[place] = rank; });
      return (keys[name] = Int32Array.from(column.at, (place) => ranks[place]));
    };
    const update = () => {
      // A filter is the place of its value among the column's; -1 fits nothing.
      const wanted = selects.filter((select) => select.value).map((select) => [select.dataset.column, JSON.parse(select.value)]).concat(Object.entries(state.pins))
        .map(([name, value]) => (Array.isArray(columns[name]) ? [columns[name], value] : [columns[name].at, columns[name].values.indexOf(value)]));
      const terms = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      if (terms.length) prepare(data.count);
      state.at = [];
      for (let at = 0; at < data.count; at += 1) {
        if (wanted.every(([column, value]) => column[at] === value) && terms.every((term) => searched[at].includes(term))) state.at.push(at);
      }
      // The rows come by amount, so that order needs no sorting.
      const by = key(state.sort), sign = state.down ? -1 : 1;
      if (state.sort !== "amount_at_risk" || !state.down) state.at.sort((a, b) => (by[a] < by[b] ? -sign : by[a] > by[b] ? sign : a - b));
      for (const header of headers) {
        header.setAttribute("aria-sort", header.dataset.sort === state.sort ? (state.down ? "descending" : "ascending") : "none");
      }
      document.getElementById("pins").replaceChildren(...Object.entries(state.pins).map(([name, value]) => {
        const button = element("button", `${pinned[name] || words(name)}: ${value ?? "none"} ✕`);
        button.type = "button";
        button.setAttribute("aria-label", `Remove the filter ${pinned[name] || words(name)} ${value ?? "none"}`);
        button.addEventListener("click", () => { delete state.pins[name]; changed(); search.focus(); });
        return button;
      }));
      state.page = 0;
      state.opened.clear();
      render();
    };
    // The address has the filters, so that it can be kept, sent to a colleague who has the file, and gone back to.
    const changed = () => {
      const query = new URLSearchParams();
      if (search.value) query.set("search", search.value);
      for (const select of selects) if (select.value) query.set(select.dataset.column, JSON.parse(select.value) ?? "");
      for (const [name, value] of Object.entries(state.pins)) query.set(name, value ?? "");
      history.replaceState(null, "", "#findings" + (query.size ? `?${query}` : ""));
      update();
    };
    const filter = (query) => {
      search.value = query.get("search") || "";
      state.pins = {};
      for (const select of selects) select.value = "";
      for (const [name, text] of query) {
        const select = selects.find((one) => one.dataset.column === name);
        const value = text === "" && columns[name] && !Array.isArray(columns[name]) && columns[name].values.includes(null) ? null : text;
        if (select) select.value = JSON.stringify(value);
        if (columns[name] && !(select && select.selectedIndex > 0)) { if (select) select.value = ""; state.pins[name] = value; }
      }
      update();
    };

    // As in the headline: a line's dollars once per direction, with the finding that puts most of them at risk.
    const exposure = () => {
      const total = (direction) => {
        const most = new Float64Array(staked.lines), place = columns.direction.values.indexOf(direction), info = columns.severity.values.indexOf("info");
        let sum = 0;
        for (const at of state.at) {
          if (columns.direction.at[at] !== place || (direction === "overpayment" && columns.severity.at[at] === info)) continue;
          for (let number = staked.first[at]; number < staked.first[at + 1]; number += 1) {
            const line = staked.line[number], cents = staked.cents[number];
            if (cents > most[line]) { sum += cents - most[line]; most[line] = cents; }
          }
        }
        return sum / 100;
      };
      return [total("overpayment"), total("underpayment")];
    };

    const facts = (value) => {
      const table = element("table");
      const shown = (name, entry) => {
        if (entry === null || entry === undefined) return "not known";
        if (typeof entry === "number") return /(^|_)(amount|balance|balance_before|balance_after)($|_)/.test(name) ? money(entry) : entry.toLocaleString("en-US");
        if (Array.isArray(entry)) return entry.map((one) => shown(name, one)).join(", ") || "none";
        if (typeof entry === "object") return Object.entries(entry).map(([inner, one]) => `${words(inner)}: ${shown(inner, one)}`).join(", ") || "none";
        if (typeof entry === "boolean") return entry ? "yes" : "no";
        return /^\d{4}-\d\d-\d\d$/.test(entry) ? day(entry) : entry;
      };
      for (const [name, entry] of Object.entries(value)) {
        if (entry === "") continue;
        const row = element("tr");
        const head = element("th", words(name));
        head.scope = "row";
        row.append(head, element("td", shown(name, entry)));
        table.append(row);
      }
      return table;
    };
    const block = (heading, ...nodes) => {
      const part = element("div");
      part.append(element("h3", heading), ...nodes);
      return part;
    };
    const bullets = (nodes) => {
      const items = element("ul");
      for (const node of nodes) { const item = element("li"); item.append(node); items.append(item); }
      return items;
    };
    // The points that make up the score of a service's note.
    const points = (at) => {
      if (!get.points(at)) return null;
      const [score, ...earned] = get.points(at).split(" ").map(Number);
      const date = get.service_date(at), table = element("table", null, "points");
      data.elements.forEach(([name], number) => {
        const weight = data.weights.find((one) => one.element === number && one.from <= date && date <= one.to);
        const row = element("tr"), head = element("th", name);
        head.scope = "row";
        row.append(head, element("td", earned[number] ? "shown" : "not found"), element("td", `${earned[number]} of ${weight ? weight.points : 0}`));
        table.append(row);
      });
      const foot = element("tfoot"), row = element("tr"), head = element("th", "Score");
      head.scope = "row";
      row.append(head, element("td", ""), element("td", `${score} of 100`));
      foot.append(row);
      table.append(foot);
      return block("How the note scores", table);
    };

    // A text with its evidence marked. Places count characters as Unicode has them, not as JavaScript does.
    const marked = (text, marks) => {
      const letters = Array.from(text), spans = [];
      for (const [kind, start, end] of [...marks].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2])) {
        const last = spans[spans.length - 1];
        if (last && last.kind === kind && start <= last.end) last.end = Math.max(last.end, end);
        else if (end > start) spans.push({ kind, start, end: Math.min(end, letters.length) });
      }
      const edges = [...new Set([0, letters.length, ...spans.flatMap((span) => [span.start, span.end])])].sort((a, b) => a - b);
      const node = element("pre", null, "marked");
      edges.slice(0, -1).forEach((from, at) => {
        let piece = document.createTextNode(letters.slice(from, edges[at + 1]).join(""));
        for (const span of spans.filter((one) => one.start <= from && from < one.end).reverse()) {
          const mark = element("mark", null, `mark-${span.kind}`);
          mark.title = data.elements[span.kind][0];
          if (span.start === from) mark.dataset.key = data.elements[span.kind][1];
          mark.append(piece);
          piece = mark;
        }
        node.append(piece);
      });
      return node;
    };
    const legend = (marks) => {
      const line = element("p", null, "keys");
      data.elements.forEach(([name, letter], kind) => {
        if (!letter) return;
        const found = marks.some((one) => one[0] === kind), item = element("span", null, found ? "" : "none"), key = element("mark", name, `mark-${kind}`);
        key.dataset.key = letter;
        item.append(key);
        if (!found) item.append(" none found");
        line.append(item);
      });
      return line;
    };
    const notes = (at) => {
      const told = data.notes[`${get.patient_id(at)}\n${get.service_date(at)}`];
      if (!told) return null;
      const code = get.hcpcs_code(at), mine = [], others = [], seen = new Set();
      // A text of the whole note is read for each of its codes: shown once, as read for the finding's.
      const ordered = [...told].sort((a, b) => (b.code === code) - (a.code === code) || b.read - a.read);
      for (const one of ordered) {
        const same = `${one.note}\n${one.text}`;
        if (seen.has(same)) continue;
        seen.add(same);
        const own = (one.code === code || !one.code) && (!one.discipline || !get.discipline(at) || one.discipline === get.discipline(at));
        (own ? mine : others).push(one);
      }
      const shown = (one) => {
        const part = element("div");
        part.append(element("p", [one.code || "The note", [one.clinician && clinician(one.clinician), one.credential || one.discipline].filter(Boolean).join(", "), one.note].filter(Boolean).join(" · "), "note"));
        if (one.read) part.append(legend(one.marks));
        part.append(marked(data.texts[one.text], one.marks));
        return part;
      };
      const part = block(mine.length ? `What the note says of ${code || "the service"}` : "What the notes of the day say", ...(mine.length ? mine : others).map(shown));
      part.className = "wide";
      if (mine.length && others.length) {
        const fold = element("details");
        fold.append(element("summary", `Other texts of the day (${others.length})`), ...others.map(shown));
        part.append(fold);
      }
      return part;
    };

    // ---- an episode's visits, with what their notes measure; drawn when a finding is opened ---------------------
    const LEVELS = ["independent", "modified independent", "supervision", "contact guard", "minimal", "moderate", "maximal", "dependent"];
    const CUES = ["none", "minimal", "moderate", "maximal"];
    const drawn = (name, attributes, text) => {
      const node = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
      if (text !== undefined) node.textContent = text;
      return node;
    };
    const figure = (value) => value.toLocaleString("en-US", { maximumFractionDigits: 2 });
    const timeline = (at) => {
      if (get.grain(at) !== "activity") return null;
      const said = JSON.parse(get.facts(at));
      const visits = data.timelines[[get.patient_id(at), get.discipline(at), said.hcpcs_code, said.episode_start].map((one) => one ?? "").join("\n")];
      if (!visits) return block("The episode's visits", element("p", `Not drawn: the page holds the visits of ${data.episodes.toLocaleString("en-US")} episodes, those with the largest amounts.`));
      const dates = visits.service_date, count = dates.length;
      const first = dates.findIndex((date) => date >= said.since), last = Math.min(first + said.visits, count) - 1;
      const inside = (place) => first >= 0 && place >= first && place <= last;
      const values = (measure) => dates.map((_, place) => visits.measures[measure][place] ?? null);
      const known = (list) => list.filter((one) => one !== null).length;
      const measures = Object.keys(visits.measures).sort((a, b) => known(values(b)) - known(values(a)) || (a < b ? -1 : 1));
      // How a measure is told: its name with a unit, the direction in which it gets better, and whether its numbers mean anything.
      const gauge = (measure) => {
        const [better, told] = data.measures[measure] || ["more", "#"], name = words(measure), unit = /# ([^#\s]+)$/.exec(told || "");
        const percent = /#%/.test(told || "");
        return {
          title: name[0].toUpperCase() + name.slice(1) + (unit && !name.includes(unit[1].slice(0, -1)) ? ` (${unit[1]})` : ""), values: values(measure), number: true, sign: better === "less" ? -1 : 1,
          text: told && !told.includes("#") ? null : (value) => (percent ? `${figure(100 * value)}%` : figure(value)), loose: better === "either" && told && !told.includes("#"),
        };
      };
      const lanes = [
        { title: "Assist level", values: visits.assist, names: LEVELS }, { title: "Cues", values: visits.cues, names: CUES }, { title: "Difficulty", values: visits.difficulty, text: String },
        ...measures.slice(0, 6).map(gauge), { title: "The note says", values: visits.said, text: String, each: true }, { title: "Score", values: visits.score, number: true, sign: 1, text: figure },
      ].filter((lane) => known(lane.values));

      const room = Math.max(270, list.parentNode.clientWidth - 60), narrow = room < 500, left = narrow ? 112 : 170;
      const step = Math.max(narrow ? 24 : 34, Math.min(64, (room - left - 24) / count)), width = Math.max(room, left + step * count + 24), x = (place) => left + step * (place + 0.5);
      const picture = drawn("svg", { width, role: "img" }), layer = [];
      let y = 26;
      for (const lane of lanes) {
        const seen = lane.values.filter((one) => one !== null), spread = lane.names || lane.number;
        const low = spread ? Math.min(...seen) : 0, high = spread ? Math.max(...seen) : 0;
        // The title stands beside the levels where there is room for both, else above them.
        const long = lane.names && 7.2 * lane.title.length + 6.6 * Math.max(...lane.names.slice(low, high + 1).map((name) => name.length)) > left - 14;
        const above = long ? 18 : 0, height = lane.names ? 18 * (high - low + 1) + 8 + above : lane.number && high > low ? 46 : 30;
        const part = (value) => (lane.sign < 0 ? high - value : value - low) / (high - low);
        const level_of = (value) => (lane.names ? y + 13 + above + 18 * (value - low) : lane.number && high > low ? y + 38 - 18 * part(value) : y + height - 9);
        layer.push(drawn("line", { x1: 0, x2: width, y1: y - 2, y2: y - 2, class: "grid" }), drawn("text", { x: 0, y: y + 17, "font-weight": 600 }, lane.title));
        if (lane.names) for (let level = low; level <= high; level += 1) layer.push(drawn("text", { x: left - 8, y: level_of(level) + 4, "text-anchor": "end", class: "soft" }, lane.names[level].replace("modified independent", narrow ? "mod. indep." : "modified independent")));
        const held = lane.values.map((value, place) => ({ value, place })).filter((one) => one.value !== null);
        if (spread && !lane.loose) layer.push(drawn("polyline", { class: "path", points: held.map((one) => `${x(one.place)},${level_of(one.value)}`).join(" ") }));
        let free = -1e9;
        held.forEach((one, order) => {
          const middle = x(one.place), text = lane.text ? lane.text(one.value) : "", changed = lane.each || !order || held[order - 1].value !== one.value;
          layer.push(drawn("circle", { cx: middle, cy: level_of(one.value), r: 3.5, class: inside(one.place) ? "run" : "" }));
          if (!text || !changed) return;
          const half = 3.4 * text.length, from = Math.max(left, Math.min(middle - half, width - 2 * half));
          if (from < free) return;
          layer.push(drawn("text", { x: from + half, y: level_of(one.value) - 8, "text-anchor": "middle" }, text));
          free = from + 2 * half + 5;
        });
        y += height + 6;
      }
      for (const place of [...new Set([first, last, 0, count - 1])].filter((one) => one >= 0)) {
        const middle = Math.min(Math.max(x(place), left), width - 24);
        if (layer.some((node) => node.dataset.date && Math.abs(node.dataset.date - middle) < 52)) continue;
        const label = drawn("text", { x: middle, y: y + 12, "text-anchor": "middle", class: "soft", "data-date": middle }, day(dates[place]).replace(/, \d+$/, ""));
        layer.push(label);
      }
      if (first >= 0) {
        const from = x(first) - step / 2, wide = step * (last - first + 1);
        picture.append(drawn("rect", { x: from, y: 20, width: wide, height: y - 22, class: "band", rx: 4 }));
        picture.append(drawn("text", { x: Math.min(from, width - 120), y: 14 }, `the ${said.visits} visits`));
      }
      picture.append(...layer);
      picture.setAttribute("height", y + 20);
      picture.setAttribute("viewBox", `0 0 ${width} ${y + 20}`);
      picture.setAttribute("aria-label", `${count} visits of the episode; the finding is about ${said.visits} from ${day(said.since)} on. The table below holds the numbers.`);
      const frame = element("div", null, "timeline");
      frame.append(picture);

      const table = element("table", null, "visits"), head = element("tr"), body = element("tbody"), top = element("thead");
      const shown = (lane, place) => {
        const value = lane.values[place];
        if (value === null) return "";
        if (lane.names) return lane.names[value];
        return lane.text ? lane.text(value) : lane.values.slice(0, place).filter((one) => one !== null).pop() === value ? "same" : "stated";
      };
      const all = [...lanes, ...measures.slice(6).map(gauge)];
      for (const title of ["Visit", "Date", ...all.map((lane) => lane.title)]) { const one = element("th", title); one.scope = "col"; head.append(one); }
      dates.forEach((date, place) => {
        const row = element("tr", null, inside(place) ? "run" : ""), one = element("th", visits.number[place]);
        one.scope = "row";
        row.append(one, element("td", day(date), "one"), ...all.map((lane) => element("td", shown(lane, place))));
        body.append(row);
      });
      top.append(head);
      table.append(top, body);
      const fold = element("details"), box = element("div", null, "box");
      box.append(table);
      fold.append(element("summary", "These visits as a table"), box);
      const part = block("The episode, visit by visit", element("p", lanes.length ? `Marked: the visits of this finding. Higher is better: less help, fewer errors, more distance.${measures.length > 6 ? " The table has more measures." : ""}` : "The notes of these visits state no measure.", "note"), frame, fold);
      part.className = "wide";
      return part;
    };
    const detail = (at) => {
      const rule = data.rules[get.rule(at)] || { references: [], exceptions: [] };
      const row = element("tr", null, "detail"), cell = element("td"), inside = element("div", null, "in");
      cell.colSpan = 7;
      inside.append(element("p", get.message(at), "said"));
      const seen = block("What was seen", facts(JSON.parse(get.facts(at)))), scored = points(at);
      if (scored) seen.append(scored);
      inside.append(seen);
      const right = element("div");
      right.append(block("The rule and its source", element("p", `${title(get.rule(at))} (${get.rule(at)}, ${get.severity(at)}, ${get.direction(at)})`), bullets(rule.references.map((entry) => {
        if (!entry.href || !/^https?:\/\//.test(entry.href)) return document.createTextNode(entry.title);
        const link = element("a", entry.title);
        link.href = entry.href;
        link.target = "_blank";
        link.rel = "noopener noreferrer";
        return link;
      }))));
      if (rule.remedy) right.append(block("What to do", element("p", rule.remedy)));
      if (rule.exceptions.length) right.append(block("When it is fine", bullets(rule.exceptions)));
      if (get.reference_state(at) === "stale_reference") right.append(block("Out-of-date reference", element("p", "Judged with a reference table that does not cover this service date. Check it against the official file named at the top.")));
      if (get.review(at)) right.append(block("Decided before", element("p", get.review(at))));
      inside.append(right);
      inside.append(block("Where it is", facts({
        "claim and line": get.claim_id(at) ? get.claim_id(at) + (get.claim_line_number(at) ? `, line ${get.claim_line_number(at)}` : "") : "none: nothing was billed, or no claim fits", patient: get.patient_id(at), "service date": get.service_date(at), code: get.hcpcs_code(at), discipline: get.discipline(at),
        clinician: get.rendering_npi(at) && `${clinician(get.rendering_npi(at))} (NPI ${get.rendering_npi(at)})`, payer: get.payer(at), plan: get.plan(at) && words(get.plan(at)),
        source: `${get.source_file(at)}, row ${get.source_row(at)}`, "finding id": get.finding_id(at),
      })));
      for (const part of [timeline(at), notes(at)]) if (part) inside.append(part);
      cell.append(inside);
      row.append(cell);
      return row;
    };

    const cell = (name, text, className) => {
      const node = element("td", text, className);
      node.dataset.column = name;
      return node;
    };
    const claim = (at) => (get.claim_id(at) ? get.claim_id(at) + (get.claim_line_number(at) ? `-${get.claim_line_number(at)}` : "") : "no claim");
    const line = (at) => {
      const row = element("tr", null, "row");
      row.append(cell("amount_at_risk", money(get.amount_at_risk(at)), "num"));
      const severity = cell("severity");
      severity.append(element("span", get.severity(at), "tag " + get.severity(at)));
      const what = cell("rule");
      const open = element("button", title(get.rule(at)), "open");
      open.type = "button";
      open.setAttribute("aria-expanded", "false");
      what.append(open, element("small", get.message(at)), element("small", `${day(get.service_date(at))} · ${get.hcpcs_code(at) || "no code"} · ${claim(at)}`, "phone"));
      const place = cell("claim_id", claim(at), "one");
      place.append(element("small", get.patient_id(at)));
      const when = cell("service_date", day(get.service_date(at)), "one");
      when.append(element("small", get.hcpcs_code(at)));
      row.append(severity, what, when, place, cell("rendering_npi", clinician(get.rendering_npi(at)), "narrow"), cell("payer", get.payer(at) || "none", "narrow"));
      row.addEventListener("click", () => {
        if (String(window.getSelection())) return; // someone is copying a claim number
        const opened = open.getAttribute("aria-expanded") === "true";
        open.setAttribute("aria-expanded", String(!opened));
        if (opened) { row.nextSibling.remove(); state.opened.delete(at); } else { row.after(detail(at)); state.opened.add(at); }
      });
      if (!state.opened.has(at)) return [row];
      open.setAttribute("aria-expanded", "true");
      return [row, detail(at)];
    };
    render = (size = SIZE) => {
      const count = state.at.length, from = Math.min(state.page * SIZE, Math.max(count - 1, 0)), to = Math.min(from + size, count);
      body.replaceChildren(...state.at.slice(from, to).flatMap(line));
      const [over, under] = exposure();
      document.getElementById("status").textContent = count
        ? `${(from + 1).toLocaleString("en-US")}–${to.toLocaleString("en-US")} of ${count.toLocaleString("en-US")} findings · ${money(over)} at risk${under ? `, ${money(under)} under-billed` : ""}, each line once`
        : "No finding fits these filters.";
      document.getElementById("page").textContent = count ? `Page ${state.page + 1} of ${Math.ceil(count / SIZE)}` : "";
      document.getElementById("previous").disabled = state.page === 0;
      document.getElementById("next").disabled = to >= count;
    };
    const turn = (by) => { state.page += by; render(); list.scrollIntoView({ block: "nearest" }); };
    document.getElementById("previous").addEventListener("click", () => turn(-1));
    document.getElementById("next").addEventListener("click", () => turn(1));
    const form = document.getElementById("filters");
    form.addEventListener("input", changed);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(() => { state.pins = {}; changed(); }));
    document.addEventListener("keydown", (event) => {
      if (!list.closest(".page").classList.contains("current") || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "/" && !event.target.closest("input, select, textarea")) { event.preventDefault(); search.focus(); }
      if (event.key !== "Escape") return;
      const inside = event.target.closest(".detail");
      const row = inside ? inside.previousSibling : event.target.closest(".row");
      const button = row?.querySelector('.open[aria-expanded="true"]');
      if (button) { button.click(); button.focus(); }
    });
    window.addEventListener("beforeprint", () => render(PRINTED));
    window.addEventListener("afterprint", () => render());
    filter(asked().id === "findings" ? asked().query : new URLSearchParams());
    find = filter;
    idly(idle);
  }

  // ---- rows that other pages hold: a link shows those that fit it -------------------------------------------------
  const narrow = (table, query) => {
    const rows = [...table.tBodies[0].rows], given = [...query];
    let count = 0;
    for (const row of rows) {
      row.hidden = !given.every(([name, value]) => row.dataset[name] === value);
      count += row.hidden ? 0 : 1;
    }
    const told = document.getElementById(`${table.id}-shown`), all = element("a", "Show all");
    all.href = `#${table.id}`;
    told.replaceChildren(...(given.length ? [`${count.toLocaleString("en-US")} of ${rows.length.toLocaleString("en-US")} shown: ${given.map(([, value]) => value || "none").join(", ")}. `, all] : []));
  };
  enter = (page) => {
    const { id, query } = asked(), target = document.getElementById(id);
    if (id === "findings" && find) find(query);
    if (target?.dataset.rows !== undefined) narrow(target, query);
    setTimeout(() => { redraw(); fit(); });
  };
  enter(pages.find((page) => page.classList.contains("current")));

  // ---- tables wider than the screen: they scroll, with the keyboard too ------------------------------------------
  const boxes = [...document.querySelectorAll(".box")];
  const fit = () => {
    const wide = boxes.map((box) => box.clientWidth > 0 && box.scrollWidth > box.clientWidth + 1); // all measured before any changes
    boxes.forEach((box, at) => {
      if (wide[at] === box.hasAttribute("tabindex")) return;
      const attributes = { tabindex: "0", role: "region", "aria-label": `${box.querySelector("caption")?.textContent.trim() || "Table"} (scrolls sideways)` };
      for (const [name, value] of Object.entries(attributes)) if (wide[at]) box.setAttribute(name, value); else box.removeAttribute(name);
    });
  };
  document.addEventListener("toggle", () => fit(), true);

  // ---- paper and screen ---------------------------------------------------------------------------------------
  const folded = [...document.querySelectorAll("details")];
  let open = [];
  window.addEventListener("beforeprint", () => {
    open = folded.filter((node) => node.open);
    for (const node of folded) node.open = true;
    draw("light", 690);
  });
  window.addEventListener("afterprint", () => {
    for (const node of folded) node.open = open.includes(node);
    redraw();
  });
  document.querySelector("#whole button").addEventListener("click", () => {
    document.documentElement.classList.add("whole");
    window.print();
    document.documentElement.classList.remove("whole");
  });
  dark.addEventListener("change", redraw);
  let waiting;
  window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(() => { redraw(); fit(); }, 150); });
  });
})();
