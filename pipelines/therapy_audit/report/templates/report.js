"use strict";
(() => {
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
    light: { ink: "#1a2129", soft: "#55606d", grid: "#e3e7ec", over: "#c2453b", under: "#1f8a70", error: "#c2453b", warning: "#d09a2c", info: "#4a7fc4", idle: "#8b96a3" },
    dark: { ink: "#e8ecf1", soft: "#a6b0bd", grid: "#343d48", over: "#e8786e", under: "#4fb79b", error: "#e8786e", warning: "#d6a53d", info: "#79a9e6", idle: "#7d8793" },
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
    kx: (rows, colours, width) => bars(rows, [{
      value: (row) => row.share, colour: (row, c) => (row.without ? c.error : row.share >= 1 ? c.idle : c.warning), text: () => "",
      hover: (row) => `${row.label}: ${row.lower ? "at least " : ""}${row.used} of ${row.threshold}`,
    }], colours, width, { least: 1.05, shapes: [{ type: "line", x0: 1, x1: 1, yref: "paper", y0: 0, y1: 1, layer: "below", line: { color: colours.soft, width: 1.5, dash: "dot" } }] }),
  };

  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const draw = (scheme, width) => {
    for (const [name, chart] of Object.entries(charts)) {
      const node = document.getElementById("chart-" + name);
      const rows = data.charts[name];
      if (!node) continue;
      if (!rows.length) { node.textContent = "No amounts to draw."; continue; }
      const [traces, layout] = chart(rows, palettes[scheme], width || node.clientWidth);
      Plotly.react(node, traces, layout, settings);
    }
  };
  const redraw = () => draw(dark.matches ? "dark" : "light");

  // ---- findings -----------------------------------------------------------------------------------------------
  const list = document.getElementById("list");
  let render = () => {};
  if (list) {
    const SIZE = 25, PRINTED = 100;
    const get = {};
    for (const [name, column] of Object.entries(data.findings)) {
      get[name] = Array.isArray(column) ? (at) => column[at] : (at) => column.values[column.at[at]];
    }
    const clinician = (npi) => (npi ? data.clinicians[npi] || npi : "none");
    const title = (rule) => (data.rules[rule] || { title: rule }).title;
    const words_of = { rule: title, rendering_npi: clinician, month, severity: words, direction: words, payer: (value) => value || "none" };
    const severities = { error: 0, warning: 1, info: 2 };
    const searched = Array.from({ length: data.count }, (_, at) => [
      get.message(at), title(get.rule(at)), get.rule(at), get.claim_id(at), get.patient_id(at), get.hcpcs_code(at), get.service_date(at), get.rendering_npi(at),
      clinician(get.rendering_npi(at)), get.payer(at), get.finding_id(at), get.source_file(at) + ":" + get.source_row(at),
    ].join("\n").toLowerCase());

    const body = list.tBodies[0];
    const search = document.getElementById("search");
    const selects = [...document.querySelectorAll("#filters select")];
    const headers = [...list.querySelectorAll("th[data-sort]")];
    const state = { sort: "amount_at_risk", down: true, page: 0, at: [] };

    for (const select of selects) {
      const name = select.dataset.column;
      const counts = new Map();
      for (let at = 0; at < data.count; at += 1) counts.set(get[name](at), (counts.get(get[name](at)) || 0) + 1);
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

    const key = (name) => {
      if (name === "severity") return (at) => severities[get.severity(at)];
      if (name === "rule" || name === "rendering_npi") return (at) => words_of[name](get[name](at)).toLowerCase();
      return (at) => get[name](at) ?? "";
    };
    const update = () => {
      const wanted = selects.filter((select) => select.value).map((select) => [get[select.dataset.column], JSON.parse(select.value)]);
      const terms = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      state.at = [];
      for (let at = 0; at < data.count; at += 1) {
        if (wanted.every(([column, value]) => column(at) === value) && terms.every((term) => searched[at].includes(term))) state.at.push(at);
      }
      const by = key(state.sort), sign = state.down ? -1 : 1;
      const keys = new Map(state.at.map((at) => [at, by(at)]));
      state.at.sort((a, b) => { const x = keys.get(a), y = keys.get(b); return x < y ? -sign : x > y ? sign : a - b; });
      for (const header of headers) {
        header.setAttribute("aria-sort", header.dataset.sort === state.sort ? (state.down ? "descending" : "ascending") : "none");
      }
      state.page = 0;
      render();
    };

    // As in the headline: a line's dollars once per direction, with the finding that puts most at risk.
    const exposure = () => {
      const most = { overpayment: new Map(), underpayment: new Map() };
      for (const at of state.at) {
        const direction = get.direction(at);
        if (direction === "compliance" || (direction === "overpayment" && get.severity(at) === "info")) continue;
        const line = JSON.stringify([get.claim_id(at), get.claim_line_number(at)]);
        most[direction].set(line, Math.max(most[direction].get(line) || 0, Math.round(100 * get.amount_at_risk(at))));
      }
      const total = (map) => [...map.values()].reduce((sum, cents) => sum + cents, 0) / 100;
      return [total(most.overpayment), total(most.underpayment)];
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
      part.append(element("h4", heading), ...nodes);
      return part;
    };
    const bullets = (nodes) => {
      const items = element("ul");
      for (const node of nodes) { const item = element("li"); item.append(node); items.append(item); }
      return items;
    };
    const detail = (at) => {
      const rule = data.rules[get.rule(at)] || { references: [], exceptions: [] };
      const row = element("tr", null, "detail"), cell = element("td"), inside = element("div", null, "in");
      cell.colSpan = 7;
      inside.append(element("p", get.message(at), "said"));
      inside.append(block("What was seen", facts(JSON.parse(get.facts(at)))));
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
      inside.append(right);
      inside.append(block("Where it is", facts({
        "claim and line": `${get.claim_id(at)}, line ${get.claim_line_number(at)}`, patient: get.patient_id(at), "service date": get.service_date(at), code: get.hcpcs_code(at), discipline: get.discipline(at),
        clinician: get.rendering_npi(at) && `${clinician(get.rendering_npi(at))} (NPI ${get.rendering_npi(at)})`, payer: get.payer(at), plan: get.plan(at) && words(get.plan(at)),
        source: `${get.source_file(at)}, row ${get.source_row(at)}`, "finding id": get.finding_id(at),
      })));
      if (get.note_text(at)) inside.append(block("What the notes of the day say", element("pre", get.note_text(at))));
      cell.append(inside);
      row.append(cell);
      return row;
    };

    const cell = (name, text, className) => {
      const node = element("td", text, className);
      node.dataset.column = name;
      return node;
    };
    const line = (at) => {
      const row = element("tr", null, "row");
      row.append(cell("amount_at_risk", money(get.amount_at_risk(at)), "num"));
      const severity = cell("severity");
      severity.append(element("span", get.severity(at), "tag " + get.severity(at)));
      const what = cell("rule");
      const open = element("button", title(get.rule(at)), "open");
      open.type = "button";
      open.setAttribute("aria-expanded", "false");
      what.append(open, element("small", get.message(at)), element("small", `${day(get.service_date(at))} · ${get.hcpcs_code(at) || "no code"} · ${get.claim_id(at)}-${get.claim_line_number(at)}`, "phone"));
      const place = cell("claim_id", `${get.claim_id(at)}-${get.claim_line_number(at)}`, "one");
      place.append(element("small", get.patient_id(at)));
      const when = cell("service_date", day(get.service_date(at)), "one");
      when.append(element("small", get.hcpcs_code(at)));
      row.append(severity, what, when, place, cell("rendering_npi", clinician(get.rendering_npi(at)), "narrow"), cell("payer", get.payer(at) || "none", "narrow"));
      row.addEventListener("click", () => {
        if (String(window.getSelection())) return; // someone is copying a claim number
        const opened = open.getAttribute("aria-expanded") === "true";
        open.setAttribute("aria-expanded", String(!opened));
        if (opened) row.nextSibling.remove(); else row.after(detail(at));
      });
      return row;
    };
    render = (size = SIZE) => {
      const count = state.at.length, from = Math.min(state.page * SIZE, Math.max(count - 1, 0)), to = Math.min(from + size, count);
      body.replaceChildren(...state.at.slice(from, to).map(line));
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
    form.addEventListener("input", update);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(update));
    for (const button of document.querySelectorAll("[data-filter]")) {
      button.addEventListener("click", () => {
        form.reset();
        const select = selects.find((one) => one.dataset.column === button.dataset.filter);
        select.value = JSON.stringify(button.dataset.value);
        update();
        document.getElementById("findings").scrollIntoView();
        select.focus({ preventScroll: true });
      });
    }
    window.addEventListener("beforeprint", () => render(PRINTED));
    window.addEventListener("afterprint", () => render());
    update();
  }

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
  dark.addEventListener("change", redraw);
  let waiting;
  window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(redraw, 150); });
  redraw();
})();
