
// SPDX-License-Identifier: BSD-3-Clause
// Asks for /figures.json, and shows what changed since. Every text of the daemon's goes through
// shown() and textContent: names are the operator's and the network's, not ours.
"use strict";

const EVERY_MS = 2000, WINDOW_MS = 20000, KEEP_MS = 300000, SLOWEST_MS = 10000, WAIT_MS = 8000;
const ROWS_MAX = 50, TEXT_MAX = 160;
const BOUND_FIRST_US = 64;
const SVG = "http://www.w3.org/2000/svg";
const $ = id => document.getElementById(id);

// ---- words and numbers

// Characters that cannot be seen, or that turn what stands around them, are named instead.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\ufff0-\ufffc]|[\u{e0000}-\u{e0fff}]/gu;
function shown(text) {
	text = String(text).replace(HIDDEN, c =>
		"\u27e8U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") + "\u27e9");
	return text.length > TEXT_MAX ? [...text].slice(0, TEXT_MAX).join("") + "\u2026" : text;
}

function grouped(n) {
	return Math.round(n).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

// At most four digits and a letter; whole numbers as they are up to 99 999.
function short(n) {
	if (n === null || n === undefined || !isFinite(n)) return "\u2013";
	if (n < 100) return String(Math.round(n * 10) / 10);
	if (n < 100000) return grouped(n);
	for (const [unit, letter] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]])
		if (n >= unit) return (n / unit).toPrecision(3) + letter;
}

function percent(part) {
	const n = 100 * part;
	return (n > 0 && n < 10 ? n.toFixed(1) : Math.round(n)) + "%";
}

function time(us) {
	if (us === null) return ["\u2013", ""];
	if (us === Infinity) return [">33", "s"];
	if (us < 1000) return [String(Math.round(us)), "\u00b5s"];
	if (us < 1e6) return [(us / 1e3).toPrecision(us < 1e5 ? 2 : 3), "ms"];
	return [(us / 1e6).toPrecision(us < 1e7 ? 2 : 3), "s"];
}
const timeText = us => time(us).join("\u00a0").trim();

function span(s) {
	const d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
	return d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : m ? `${m} min` : `${Math.floor(s)} s`;
}

// ---- elements

function el(name, cls, ...children) {
	const e = document.createElement(name);
	if (cls) e.className = cls;
	e.append(...children); // strings become text
	return e;
}
function svg(name, attributes) {
	const e = document.createElementNS(SVG, name);
	for (const key in attributes) e.setAttribute(key, attributes[key]);
	return e;
}
function text(e, words) { if (e.textContent !== words) e.textContent = words; }
function kind(e, cls) { if (e.className !== cls) e.className = cls; }

// Rows keep their place and focus: what is there is changed, what is new is added.
class Table {
	constructor(at, caption, columns) {
		this.columns = columns;
		this.body = el("tbody");
		this.rows = new Map();
		const head = el("tr");
		for (const c of columns) {
			const th = el("th", c.cls || "", c.title);
			th.scope = "col";
			head.append(th);
		}
		this.table = el("table", "", el("caption", "", caption), el("thead", "", head), this.body);
		this.none = el("p", "empty");
		at.tabIndex = 0;
		at.setAttribute("role", "region");
		at.setAttribute("aria-label", caption);
		at.append(this.table, this.none);
	}
	// rows: {key, cls, cells}; a cell is a string, or {text, cls}, or {fill: element => ..}.
	show(rows, none) {
		const more = rows.length - ROWS_MAX;
		rows = rows.slice(0, ROWS_MAX);
		const kept = new Set(rows.map(r => r.key));
		for (const [key, row] of this.rows)
			if (!kept.has(key)) { row.remove(); this.rows.delete(key); }
		rows.forEach((r, i) => {
			let row = this.rows.get(r.key);
			if (!row) {
				row = el("tr");
				this.columns.forEach((c, k) => {
					const cell = el(k ? "td" : "th", c.cls || "");
					if (!k) cell.scope = "row";
					row.append(cell);
				});
				this.rows.set(r.key, row);
			}
			kind(row, r.cls || "");
			r.cells.forEach((cell, k) => {
				const at = row.children[k];
				if (!cell.fill) {
					text(at, String(cell));
				} else {
					if (!at.firstElementChild) at.textContent = "";
					cell.fill(at);
				}
				at.classList.toggle("zero", cell === "0" || cell === "\u2013");
			});
			if (this.body.children[i] !== row) this.body.insertBefore(row, this.body.children[i] || null);
		});
		this.table.hidden = !rows.length;
		text(this.none, rows.length ? more > 0 ? `and ${grouped(more)} more` : "" : none);
		this.none.hidden = rows.length > 0 && more <= 0;
	}
}
function named(name, more) {
	return {fill: at => {
		if (!at.firstElementChild) at.append(el("span", "name"), el("span", "url"));
		text(at.children[0], shown(name));
		text(at.children[1], more ? shown(more) : "");
	}};
}
function stated(cls, words) {
	return {fill: at => {
		if (!at.firstElementChild) at.append(el("span", "state", el("span", "dot"), el("span")));
		kind(at.firstChild, "state " + cls);
		text(at.firstChild.children[1], words);
	}};
}
function metered(part) {
	return {fill: at => {
		if (!at.firstElementChild) at.append(el("span", "meter", el("span")), el("span"));
		const bar = at.children[0].firstChild;
		at.children[0].setAttribute("aria-hidden", "true");
		bar.style.width = Math.min(100, 100 * part) + "%";
		kind(bar, part > .9 ? "bad" : part > .7 ? "warn" : "");
		text(at.children[1], percent(part));
	}};
}

// ---- curves

function path(values, most, width, height) {
	let d = "", pen = "M";
	values.forEach((v, i) => {
		if (v === null) { pen = "M"; return; }
		d += `${pen}${(i * width / Math.max(1, values.length - 1)).toFixed(1)} ${(height - height * Math.min(1, v / most)).toFixed(1)}`;
		pen = "L";
	});
	return d;
}

// The same with the ground under it, if it has no holes.
function closed(d, values, width, height) {
	const first = values.findIndex(v => v !== null);
	if (first < 0 || values.indexOf(null, first) >= 0) return "";
	return `${d}L${width} ${height}L${(first * width / Math.max(1, values.length - 1)).toFixed(1)} ${height}Z`;
}

class Spark {
	constructor(cls) {
		this.svg = svg("svg", {viewBox: "0 0 200 34", preserveAspectRatio: "none", class: cls, "aria-hidden": "true"});
		this.under = svg("path", {class: "under"});
		this.curve = svg("path", {class: "curve"});
		this.svg.append(this.under, this.curve);
	}
	show(values) {
		const d = path(values, Math.max(...values) * 1.1 || 1, 200, 32);
		this.curve.setAttribute("d", d);
		this.under.setAttribute("d", closed(d, values, 200, 34));
	}
}

// A round number at or above n: 1, 2 or 5 and zeros.
function round(n) {
	const ten = 10 ** Math.floor(Math.log10(n));
	return [1, 2, 5, 10].map(k => k * ten).find(v => v >= n * .999);
}

class Chart {
	constructor(name, series, format) {
		this.at = $("c-" + name);
		this.format = format;
		this.svg = svg("svg", {viewBox: "0 0 600 150", preserveAspectRatio: "none", "aria-hidden": "true"});
		for (let i = 0; i <= 2; i++)
			this.svg.append(svg("line", {class: "grid", x1: 0, x2: 600, y1: 75 * i, y2: 75 * i}));
		this.y = [0, 1, 2].map(() => el("span", "y"));
		this.ago = el("span", "x");
		const now = el("span", "x", "now");
		now.style.left = "auto";
		now.style.right = "0";
		this.at.append(this.svg, ...this.y, this.ago, now);
		this.y.forEach((y, i) => y.style.top = i === 2 ? "calc(100% - 18px)" : i ? "calc((100% - 18px) / 2)" : "0");
		this.series = series.map(([title, cls]) => {
			const curve = svg("path", {class: "curve " + cls}), under = svg("path", {class: "under " + cls});
			const value = el("b");
			$("l-" + name).append(el("span", "", el("i", cls), title + " ", value));
			this.svg.append(under, curve);
			return {title, curve, under, value};
		});
	}
	show(lines, now, ago) {
		text(this.ago, ago + " ago");
		const most = round(Math.max(...lines.flat().map(v => v === null || v === Infinity ? 0 : v)) || 1);
		lines.forEach((values, i) => {
			const d = path(values, most, 600, 150), s = this.series[i];
			s.curve.setAttribute("d", d);
			s.under.setAttribute("d", i ? "" : closed(d, values, 600, 150));
			text(s.value, this.format(now[i]));
		});
		[most, most / 2, 0].forEach((v, i) => text(this.y[i], v ? this.format(v) : "0"));
		this.at.setAttribute("aria-label", this.series.map((s, i) =>
			`${s.title} ${this.format(now[i])}`).join(", ") + `, in the last ${ago} at most ` + this.format(most));
	}
}

// ---- samples

const key = (name, label, upstream) => name + "\n" + (label || "") + "\n" + (upstream || "");

class Sample {
	constructor(figures) {
		this.figures = figures;
		this.at = figures.time_ms;
		this.rows = new Map();
		for (const row of figures.counters) this.rows.set(key(row[0], row[1], row[2]), row);
	}
	value(name, label, upstream) {
		const row = this.rows.get(key(name, label, upstream));
		return row ? row[3] : 0;
	}
	parts(name, label, upstream) {
		const row = this.rows.get(key(name, label, upstream));
		return row && row[4] || [];
	}
	// Of one worker; with one worker there are no parts.
	of(name, worker) {
		return this.figures.workers_busy_us.length === 1 ? this.value(name) : this.parts(name)[worker] || 0;
	}
	labels(name) {
		const found = [];
		for (const row of this.rows.values()) if (row[0] === name) found.push([row[1], row[2]]);
		return found;
	}
	sum(begin) {
		let sum = 0;
		for (const row of this.rows.values()) if (row[0].startsWith(begin)) sum += row[3];
		return sum;
	}
}

const rate = (now, then, read) => now && then && now.at > then.at ?
	Math.max(0, read(now) - read(then)) * 1000 / (now.at - then.at) : null;

const less = (now, then) => now.map((n, i) => n - (then[i] || 0));

// Where this share of what fell into doubling buckets lies, between the bounds of its bucket.
function quantile(buckets, share) {
	const all = buckets.reduce((sum, n) => sum + n, 0);
	if (!all) return null;
	let below = 0;
	for (let i = 0; i < buckets.length; i++) {
		if (buckets[i] && below + buckets[i] >= all * share) {
			if (i >= 20) return Infinity;
			const to = BOUND_FIRST_US * 2 ** i, from = i ? to / 2 : 0;
			return from + (to - from) * (all * share - below) / buckets[i];
		}
		below += buckets[i];
	}
	return null;
}
function times(now, then, name, label, upstream) {
	const parts = now.parts(name, label, upstream);
	return then ? less(parts, then.parts(name, label, upstream)) : [];
}
function sums(lists) {
	const all = [];
	for (const list of lists) list.forEach((n, i) => all[i] = (all[i] || 0) + n);
	return Array.from(all, n => n || 0);
}
function allTimes(now, then) {
	return sums(now.labels("route_answer").map(([label]) => times(now, then, "route_answer", label)));
}

let samples = [];   // of the last WINDOW_MS
let points = [];    // of the last KEEP_MS: what the curves show

function take(figures) {
	const now = new Sample(figures), last = samples[samples.length - 1];
	if (last && (last.figures.started_s !== figures.started_s || now.at < last.at)) {
		samples = []; // another process
		points = [];
	}
	const before = samples[samples.length - 1];
	samples.push(now);
	while (samples.length > 2 && now.at - samples[0].at > WINDOW_MS) samples.shift();
	if (!before) return;
	const took = allTimes(now, before);
	points.push({
		at: now.at,
		requests: rate(now, before, s => s.value("rx_requests")),
		answers: rate(now, before, s => s.value("answers")),
		drops: rate(now, before, s => s.sum("drop_")),
		p50: quantile(took, .5), p99: quantile(took, .99),
		exchanges: now.value("exchanges"), devices: now.value("devices"),
		busy: Math.max(...figures.workers_busy_us.map((us, i) =>
			(us - before.figures.workers_busy_us[i]) / 1000 / (now.at - before.at))),
	});
	while (points.length && now.at - points[0].at > KEEP_MS) points.shift();
}

// How much the curves show: as much as there is, in whole minutes.
function range() {
	const ms = points.length ? points[points.length - 1].at - points[0].at : 0;
	return [1, 2, 5].find(m => ms <= m * 60000) || 5;
}

// The points as a line over so many minutes, null where there are none yet.
function line(name, minutes) {
	const places = Math.round(minutes * 60000 / EVERY_MS), values = Array(places).fill(null);
	const end = points.length ? points[points.length - 1].at : 0;
	let last = null;
	for (const p of points) {
		const place = places - 1 - Math.round((end - p.at) / EVERY_MS);
		if (place < 0) continue;
		// Slow answers leave holes that are none.
		for (let i = last === null ? place : last + 1; i <= place && (last === null || place - last < 8); i++)
			values[i] = p[name] === Infinity ? null : p[name];
		values[place] = p[name] === Infinity ? null : p[name];
		last = place;
	}
	return values;
}

// ---- the page

const tiles = {};
for (const [name, title, cls] of [["requests", "Requests", "one"], ["answers", "Answers", "one"],
	["latency", "Receipt to answer", "two"], ["drops", "Dropped packets", "bad"],
	["load", "Busiest worker", "one"], ["exchanges", "Requests in flight", "two"]]) {
	const spark = new Spark(cls), value = el("p", "value", el("span"), el("small")), more = el("p", "more");
	const tile = el("article", "tile", el("h3", "", title), value, more, spark.svg);
	tile.id = "tile-" + name;
	$("tiles").append(tile);
	tiles[name] = {
		show(number, unit, words, values) {
			text(value.children[0], number);
			text(value.children[1], unit);
			text(more, words);
			spark.show(values);
		},
	};
}
const traffic = new Chart("traffic", [["requests", "one"], ["answers", "two"]], v => short(v) + (v === null ? "" : "/s"));
const latency = new Chart("latency", [["p50", "one"], ["p99", "two"]], v => timeText(v));
const workers = new Table($("t-workers"), "Workers", [{title: "Worker"}, {title: "Load"}, {title: "Packets/s"},
	{title: "Requests/s", cls: "wide"}, {title: "Drops/s", cls: "wide"}, {title: "Overload", cls: "text"}]);
const upstreams = new Table($("t-upstreams"), "Upstreams and servers", [{title: "Upstream, server"}, {title: "State", cls: "text"},
	{title: "Requests/s"}, {title: "Errors/s"}, {title: "In flight", cls: "wide"}, {title: "Waiting", cls: "wide"},
	{title: "p50", cls: "wide"}, {title: "p99"}, {title: "Requests", cls: "wide"}]);
const routes = new Table($("t-routes"), "Routes", [{title: "Route"}, {title: "Requests/s"}, {title: "2.xx/s", cls: "wide"},
	{title: "4.xx/s", cls: "wide"}, {title: "5.xx/s"}, {title: "p50", cls: "wide"}, {title: "p99"},
	{title: "Requests", cls: "wide"}]);
const drops = new Table($("t-drops"), "Dropped and refused", [{title: "Reason"}, {title: "Per second"}, {title: "In all"},
	{title: "What it is", cls: "text wide"}]);

const RUNGS = ["none", "refuses low priority", "drops NON", "drops all"];
const STATES = {
	"active": "good", "window-unknown": "warn", "echo-pending": "warn", "rekeying": "warn",
	"replay-locked": "bad", "limit-reached": "bad",
};
const REFUSALS = {
	in_flight_refused: "answered 4.29: the device has too much under way",
	rate_refused: "answered 4.29: the device sends too often",
	policy_refused: "answered 4.03: its policy does not allow it",
	overload_refused: "answered 5.03: a route of low priority, under overload",
	exchange_none_free: "answered 5.03: no exchange is free",
	upstream_full: "answered 5.03: the way to the HTTP loop is full",
	exchange_timeouts: "answered 5.04: the deadline passed",
};

function matches(...words) {
	const wanted = $("filter").value.trim().toLowerCase();
	return !wanted || words.some(w => w && w.toLowerCase().includes(wanted));
}

function showTiles(now, then) {
	const last = points[points.length - 1] || {};
	const took = allTimes(now, then), half = quantile(took, .5), most = quantile(took, .99);
	const devices = now.value("devices"), exchanges = now.value("exchanges");
	const busy = then ? Math.max(...now.figures.workers_busy_us.map((us, i) =>
		(us - then.figures.workers_busy_us[i]) / 1000 / (now.at - then.at))) : null;
	const dropped = now.sum("drop_");
	const minutes = range();
	tiles.requests.show(short(last.requests), "/s", grouped(now.value("rx_requests")) + " in all", line("requests", minutes));
	tiles.answers.show(short(last.answers), "/s", grouped(now.value("answers")) + " in all", line("answers", minutes));
	tiles.latency.show(...time(half), most === null ? "no answers of upstreams" : "p50, and p99 " + timeText(most), line("p50", minutes));
	tiles.drops.show(short(last.drops), "/s", grouped(dropped) + " in all", line("drops", minutes));
	tiles.load.show(busy === null ? "\u2013" : percent(busy), "", `of ${now.figures.workers_busy_us.length} worker${now.figures.workers_busy_us.length > 1 ? "s" : ""}`, line("busy", minutes));
	tiles.exchanges.show(short(exchanges), "", `of ${grouped(now.figures.exchanges_max)}, ${short(devices)} devices`, line("exchanges", minutes));
	traffic.show([line("requests", minutes), line("answers", minutes)], [last.requests ?? null, last.answers ?? null], minutes + " min");
	latency.show([line("p50", minutes), line("p99", minutes)], [half, most], minutes + " min");
}

function showWorkers(now, then) {
	const busy = now.figures.workers_busy_us;
	workers.show(busy.map((us, i) => {
		const per = name => rate(now, then, s => s.of(name, i));
		const rung = now.of("overload", i);
		const dropped = then ? [...now.rows.values()].filter(r => r[0].startsWith("drop_"))
			.reduce((sum, r) => sum + now.of(r[0], i) - then.of(r[0], i), 0) * 1000 / (now.at - then.at) : null;
		return {key: String(i), cells: [String(i), then ? metered((us - then.figures.workers_busy_us[i]) / 1000 / (now.at - then.at)) : "\u2013",
			short(per("rx_packets")), short(per("rx_requests")), short(dropped),
			stated(rung > 1 ? "bad" : rung ? "warn" : "good", RUNGS[rung] || "none")]};
	}), "no workers");
	text($("n-workers"), `${short(now.value("mbufs"))} packet buffers in use`);
}

function showDevices(now) {
	const states = now.labels("devices_in_state").map(([state]) => [state, now.value("devices_in_state", state)]);
	const at = $("devices");
	if (at.children.length !== 2) at.replaceChildren(el("div", "stack"), el("ul", "states"));
	const [stack, list] = at.children;
	stack.setAttribute("aria-hidden", "true");
	if (list.children.length !== states.length) {
		stack.replaceChildren(...states.map(() => el("span")));
		list.replaceChildren(...states.map(() => el("li", "", el("span", "dot"), el("span"), el("b"))));
	}
	states.forEach(([state, count], i) => {
		const cls = count ? STATES[state] || "wait" : "wait";
		kind(stack.children[i], cls);
		stack.children[i].style.flexGrow = count;
		stack.children[i].hidden = !count;
		stack.children[i].style.display = count ? "" : "none";
		kind(list.children[i], cls);
		text(list.children[i].children[1], shown(state));
		text(list.children[i].children[2], grouped(count));
	});
	text($("n-devices"), `${grouped(now.value("devices"))} of ${grouped(now.figures.devices_max)}`);
	const ports = now.labels("port_link_up");
	if ($("ports").children.length !== ports.length)
		$("ports").replaceChildren(...ports.map(() => el("span", "", el("span", "dot"), el("span"))));
	ports.forEach(([port], i) => {
		const up = now.value("port_link_up", port);
		kind($("ports").children[i], "state " + (up ? "good" : "bad"));
		text($("ports").children[i].children[1], `port ${shown(port)} ${up ? "up" : "down"}`);
	});
	$("ports").hidden = !ports.length;
}

function errors(sample, upstream) {
	let sum = 0;
	for (const row of sample.rows.values())
		if (row[1] === upstream && row[0].startsWith("upstream_error_")) sum += row[3];
	return sum;
}

function showUpstreams(now, then) {
	const rows = [], urls = new Map(now.figures.urls);
	const servers = new Map();
	let count = 0, up = 0;
	for (const [server, upstream] of now.labels("server_up")) {
		if (!servers.has(upstream)) servers.set(upstream, []);
		servers.get(upstream).push(server);
	}
	for (const [name] of now.labels("upstream_requests")) {
		if (name === "none" && !now.value("upstream_requests", name)) continue;
		const all = now.value("upstream_servers", name), there = now.value("upstream_servers_up", name);
		const mine = servers.get(name) || [];
		count += all;
		up += there;
		const hit = matches(name);
		const some = mine.filter(s => hit || matches(s, urls.get(s)));
		if (!hit && !some.length) continue;
		const per = read => rate(now, then, read);
		const together = sums(mine.map(server => times(now, then, "server_latency", server, name)));
		rows.push({key: "u" + name, cls: "group", cells: [named(name),
			all ? stated(there === all ? "good" : there ? "warn" : "bad", `${there} of ${all} up`) : "",
			short(per(s => s.value("upstream_requests", name))), short(per(s => errors(s, name))),
			short(now.value("upstream_inflight", name)), short(now.value("upstream_waiting", name)),
			timeText(quantile(together, .5)), timeText(quantile(together, .99)),
			grouped(now.value("upstream_requests", name))]});
		for (const s of some) {
			const took = times(now, then, "server_latency", s, name);
			const out = now.value("server_out", s, name), well = now.value("server_up", s, name);
			rows.push({key: "s" + s, cls: "server", cells: [named(s, urls.get(s)),
				stated(out ? "wait" : well ? "good" : "bad", out ? "taken out" : well ? "up" : "down"),
				short(per(x => x.value("server_attempts", s, name))), short(per(x => x.value("server_failures", s, name))),
				short(now.value("server_inflight", s, name)), "", timeText(quantile(took, .5)),
				timeText(quantile(took, .99)), grouped(now.value("server_attempts", s, name))]});
		}
	}
	upstreams.show(rows, $("filter").value ? "none of them" : "no upstreams");
	text($("n-upstreams"), count ? `${grouped(up)} of ${grouped(count)} servers up` : "");
}

function showRoutes(now, then) {
	const rows = [];
	for (const [name] of now.labels("route_requests")) {
		if (!matches(name)) continue;
		const per = what => short(rate(now, then, s => s.value(what, name)));
		const took = times(now, then, "route_answer", name);
		rows.push({key: name, cells: [named(name), per("route_requests"), per("route_answers_2xx"),
			per("route_answers_4xx"), per("route_answers_5xx"), timeText(quantile(took, .5)),
			timeText(quantile(took, .99)), grouped(now.value("route_requests", name))]});
	}
	routes.show(rows, $("filter").value ? "none of them" : "no routes");
	text($("n-routes"), `${grouped(now.labels("route_requests").length)} patterns`);
}

function showDrops(now, then) {
	const rows = [];
	for (const [name, , , value] of now.rows.values()) {
		const drop = name.startsWith("drop_");
		if (!value || !drop && !REFUSALS[name]) continue;
		rows.push({key: name, value, cells: [named(drop ? name.slice(5) : name),
			short(rate(now, then, s => s.value(name))), grouped(value),
			shown(drop ? now.figures.help[name] || "" : REFUSALS[name])]});
	}
	rows.sort((a, b) => b.value - a.value);
	drops.show(rows, "nothing so far");
	text($("n-drops"), `${grouped(now.sum("drop_"))} of ${grouped(now.value("rx_packets"))} packets dropped`);
}

function showHealth(figures) {
	const down = samples[samples.length - 1].labels("port_link_up").some(([p]) =>
		!samples[samples.length - 1].value("port_link_up", p));
	const words = figures.stuck.length ? "stuck: " + figures.stuck.map(shown).join(", ") :
		figures.draining ? "stopping" : down ? "a link is down" : "ready";
	health(words === "ready" ? "good" : words === "stopping" ? "warn" : "bad", words);
	text($("about"), `${shown(figures.version)}, up for ${span(figures.now_s - figures.started_s)}`);
	const list = $("alarms").querySelector("ul");
	const told = figures.alarms.map(shown);
	if (list.children.length !== told.length) list.replaceChildren(...told.map(() => el("li")));
	told.forEach((words, i) => text(list.children[i], words));
	$("alarms").hidden = !told.length;
}

function health(cls, words) {
	kind($("health"), "state " + cls);
	text($("health-text"), words);
	document.title = (cls === "good" || cls === "wait" ? "" : "\u25b2 ") + "postern" + (cls === "good" ? "" : ": " + words);
}

function show() {
	if (!samples.length) return;
	const now = samples[samples.length - 1], then = samples.length > 1 ? samples[0] : null;
	showHealth(now.figures);
	showTiles(now, then);
	showWorkers(now, then);
	showDevices(now);
	showUpstreams(now, then);
	showRoutes(now, then);
	showDrops(now, then);
	document.body.dataset.sample = now.at; // for tests: what is shown
}

// ---- asking

let timer = 0, paused = false, asking = false, failures = 0;

async function ask() {
	clearTimeout(timer);
	if (asking || paused || document.hidden) return;
	asking = true;
	let figures = null;
	try {
		const answer = await fetch("/figures.json", {cache: "no-store", credentials: "omit",
			redirect: "error", signal: AbortSignal.timeout(WAIT_MS)});
		if (!answer.ok) throw new Error("status " + answer.status);
		figures = await answer.json();
		failures = 0;
	} catch (error) {
		failures++;
		health("bad", "no figures from the daemon");
	}
	asking = false;
	timer = setTimeout(ask, Math.min(SLOWEST_MS, EVERY_MS * (1 + failures)));
	if (figures) {
		take(figures);
		if (!paused) show();
	}
}

function pause() {
	paused = !paused;
	$("pause").setAttribute("aria-pressed", paused);
	text($("pause"), paused ? "Go on" : "Pause");
	if (paused) health("wait", "paused");
	else ask();
}

$("pause").addEventListener("click", pause);
$("filter").addEventListener("input", show);
document.addEventListener("visibilitychange", ask);
document.addEventListener("keydown", event => {
	if (event.ctrlKey || event.metaKey || event.altKey) return;
	if (event.target === $("filter")) {
		if (event.key === "Escape") { $("filter").value = ""; show(); $("figures").focus(); }
		return;
	}
	if (event.key === "/") { event.preventDefault(); $("filter").focus(); }
	if (event.key === "p") pause();
});
ask();
