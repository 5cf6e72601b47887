import { type Claim, type Topic, topics, type Verdict } from "./claims.ts";
import { reportStyle } from "./html-style.ts";
import { draw } from "./pictures/draw.ts";
import { escaped } from "./pictures/svg.ts";
import type { Picture } from "./pictures/types.ts";
import type { AuditReport } from "./report.ts";
import { counted, instant, sentence } from "./wording.ts";

const badges: Record<Verdict, string> = {
  verified: "✓ verified here",
  trusted: "◦ taken on trust",
  wrong: "✕ WRONG",
};

/** Headings of the parts, and what each is about. */
const headings: Record<Topic, readonly [title: string, about: string]> = {
  index: [
    "What the index says",
    "An index tells the history of the chain in a form that can be asked. This is whether it tells the truth.",
  ],
  data: ["The data", "What is stored, who holds it, and whether it is still there."],
  order: ["The order", "What was to be done, and who asked for it."],
  award: ["Who got the work", "Which bids there were, and which one was taken."],
  work: ["The work", "What was computed, and whether it is what was ordered."],
  attestation: ["Who checked it", "Members drawn by lot compute samples of a training again."],
  certificate: ["The certificate", "What a buyer of the model holds in hand."],
  disputes: [
    "Disputes",
    "Anybody can challenge a result; the contracts then compute a single number themselves.",
  ],
  money: ["Money", "Who paid whom, and who lost what."],
  standing: ["Standing", "What is known of this operator."],
  trust: ["What this audit rests on", "Nothing here was checked; it has to be known all the same."],
};

/** A whole document: no scripts, nothing that is loaded from elsewhere, every text from outside escaped. */
export function reportHtml(report: AuditReport): string {
  const { title, claims, pictures } = report;
  const parts = topics.flatMap((topic) => {
    const own = claims.filter((claim) => claim.topic === topic);
    const drawn = pictures.filter((picture) => picture.topic === topic);
    return own.length + drawn.length === 0 ? [] : section(topic, own, drawn);
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)} · Assay audit</title>
<style>${reportStyle}</style>
</head>
<body>
${header(report)}
<main>
${parts.join("\n")}
</main>
<footer>
<p><b>verified here</b>: checked on the machine that wrote this report. <b>taken on trust</b>: not checked, for the reason given.
<b>WRONG</b>: what was said contradicts what was found.</p>
<p>Pictures are drawn from what was read from the chain and computed here, never from what the index said.</p>
</footer>
</body>
</html>
`;
}

function header({ subject, id, title, lead, chain, index, ok, tally }: AuditReport): string {
  const verdict = ok
    ? "Everything that could be checked is as it was said."
    : sentence(`${counted(tally.wrong, "claim")} ${tally.wrong === 1 ? "is" : "are"} wrong.`);
  const counts = [
    [tally.verified, "verified here"],
    [tally.trusted, "taken on trust"],
    [tally.wrong, "wrong"],
  ] as const;
  return `<header>
<p class="eyebrow">Assay audit · ${escaped(subject)} ${escaped(id.length > 20 ? `${id.slice(0, 12)}…` : id)}</p>
<h1>${escaped(title)}</h1>
<p class="lead">${escaped(lead)}</p>
<div class="banner ${ok ? "good" : "bad"}">
<strong>${ok ? "✓" : "✕"} ${verdict}</strong>
<ul class="tally">${counts.map(([count, words]) => `<li><b>${count}</b>${words}</li>`).join("")}</ul>
</div>
<p class="meta">Chain ${chain.chainId}, block ${chain.block} of ${instant(chain.timestamp)} <span class="mono">${escaped(chain.hash.slice(0, 18))}…</span><br>
Index: <span class="mono">${escaped(index)}</span></p>
</header>`;
}

function section(topic: Topic, claims: readonly Claim[], pictures: readonly Picture[]): string {
  const [title, about] = headings[topic];
  return `<section aria-labelledby="${topic}">
<h2 id="${topic}">${title}</h2>
<p>${about}</p>
${pictures.map(figure).join("\n")}
${claims.map(article).join("\n")}
</section>`;
}

function figure(picture: Picture): string {
  const source = picture.kind === "curve" ? `<small>${escaped(picture.source)}</small>` : "";
  return `<figure><figcaption>${escaped(picture.title)}${source}</figcaption><div class="scroll">${draw(picture)}</div></figure>`;
}

function article({ verdict, statement, how, differences, facts, transactions }: Claim): string {
  const rows = differences
    .map(
      ({ what, told, found }) =>
        `<tr><td>${escaped(what)}</td><td class="told">${escaped(told)}</td><td class="found">${escaped(found)}</td></tr>`,
    )
    .join("");
  const table =
    rows === ""
      ? ""
      : `<table><thead><tr><th scope="col">what</th><th scope="col">it was said</th><th scope="col">it is</th></tr></thead><tbody>${rows}</tbody></table>`;
  return `<article class="claim ${verdict}">
<div class="head"><h3>${escaped(statement)}</h3><span class="badge">${badges[verdict]}</span></div>
<p>${escaped(how)}</p>${table}${details(facts, transactions)}
</article>`;
}

function details(facts: Claim["facts"], transactions: Claim["transactions"]): string {
  const value = (text: string) => `<dd class="mono">${escaped(text)}</dd>`;
  const entries = facts.map(([name, text]) => `<dt>${escaped(name)}</dt>${value(text)}`);
  if (transactions.length > 0) entries.push(`<dt>transactions</dt>${transactions.map(value).join("")}`);
  if (entries.length === 0) return "";
  const list = entries.join("");
  return `<details><summary>Details</summary><dl>${list}</dl></details>`;
}
