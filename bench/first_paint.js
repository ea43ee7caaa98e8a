#!/usr/bin/env node
// Measures how long after a click in the worklist a film of 2,688 × 2,688 pixels is on the screen: from the start of the navigation to the
// frame after the film's first paint, in headless Chromium on the node's own machine.
//
//     NODE_PATH=target/foreign/node_modules node bench/first_paint.js [COXA] [FILMS]
//
// Each film is opened twice: the node has not decoded it the first time (cold) and keeps it the second time (warm). Needs playwright-core and
// /usr/bin/chromium; COXA is target/release/coxa.
"use strict";

const { spawn, execFileSync } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { browser: launch } = require("../crates/testing/browser/look.js");

const coxa = path.resolve(process.argv[2] || "target/release/coxa");
const count = Number(process.argv[3] || 10);
const SIDE = 2688;
const PASSWORD = "only for a measurement";

const port = () => new Promise((done) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});

const start = async (data) => {
  const [http, dicom] = [await port(), await port()];
  const node = spawn(coxa, ["serve", "--data", data, "--http", `127.0.0.1:${http}`, "--dicom", `127.0.0.1:${dicom}`], { stdio: ["ignore", "ignore", "pipe"] });
  const password = await new Promise((ready, failed) => {
    let [text, first] = ["", ""];
    node.once("exit", () => failed(new Error(`the node does not start: ${text}`)));
    node.stderr.on("data", (bytes) => {
      text += bytes;
      first ||= /first sign-in.* password (\S+)/.exec(text)?.[1] || "";
      if (/^ready/m.test(text)) ready(first);
    });
  });
  return { node, url: `http://127.0.0.1:${http}`, password };
};

const store = async (url, file) => {
  const [head, tail] = ["--film\r\nContent-Type: application/dicom\r\n\r\n", "\r\n--film--\r\n"].map((text) => Buffer.from(text));
  const body = Buffer.concat([head, fs.readFileSync(file), tail]);
  const answer = await fetch(`${url}/dicom-web/studies`, { method: "POST", body, headers: { "content-type": 'multipart/related; type="application/dicom"; boundary=film', accept: "application/dicom+json" } });
  if (!answer.ok) throw new Error(`a film is not stored: ${answer.status} ${await answer.text()}`);
};

const done = async (url) => {
  for (;;) {
    const { films } = await (await fetch(`${url}/api/v1/status`)).json();
    if ((films.read || 0) + (films.not_read || 0) + (films.failed || 0) >= count) return;
    await new Promise((later) => setTimeout(later, 500));
  }
};

const signIn = async (page, url, password) => {
  await page.goto(`${url}/signin`);
  await page.fill("#name", "admin");
  await page.fill("#password", password);
  await page.keyboard.press("Enter");
  await page.fill("#again", PASSWORD);
  await page.fill("#password", PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL((to) => !to.pathname.startsWith("/signin"));
};

// Milliseconds from the start of the navigation to the film's first paint, and to its full resolution.
const open = async (page, url, row) => {
  await page.goto(`${url}/?date=all`);
  await page.locator(`#rows a[href^="/films/${row}"]`).first().click();
  await page.waitForURL(/\/films\//);
  await page.waitForFunction(() => document.querySelector("#stage").dataset.resolution === "full", null, { timeout: 60_000 });
  return page.evaluate(() => ["first-paint-of-film", "full-resolution"].map((name) => performance.getEntriesByName(name)[0].startTime));
};

const words = (times) => {
  const sorted = times.toSorted((a, b) => a - b);
  return `median ${sorted[Math.floor(sorted.length / 2)].toFixed(0)} ms, slowest ${sorted.at(-1).toFixed(0)} ms`;
};

(async () => {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), "first-paint-"));
  execFileSync(coxa, ["simulate", "pelvis", "--n", String(count), "--size", String(SIDE), "--format", "dicom", "--seed", "7", "--out", path.join(work, "films")], { stdio: "ignore" });
  const { node, url, password } = await start(path.join(work, "data"));
  const browser = await launch();
  try {
    const images = path.join(work, "films", "images");
    for (const name of fs.readdirSync(images).filter((name) => name.endsWith(".dcm"))) await store(url, path.join(images, name));
    await done(url);
    const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
    await signIn(page, url, password);
    const [cold, warm] = [[], []];
    for (let row = 1; row <= count; row++) {
      cold.push(await open(page, url, row));
      warm.push(await open(page, url, row));
    }
    console.log(`${count} films of ${SIDE} × ${SIDE} pixels, ${os.cpus().length} cores, load ${os.loadavg()[0].toFixed(1)}`);
    for (const [name, times] of [["cold", cold], ["warm", warm]]) {
      console.log(`${name}: first paint ${words(times.map(([first]) => first))}; full resolution ${words(times.map(([, full]) => full))}`);
    }
  } finally {
    await browser.close();
    const ended = new Promise((done) => node.once("exit", done));
    node.kill();
    await ended;
    fs.rmSync(work, { recursive: true, force: true });
  }
})().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
