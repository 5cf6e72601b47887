import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { encodeCall } from "../../keepers/src/chain/contracts.ts";
import { WrongEncodingError } from "../../keepers/src/core/dataset/decode.ts";
import { type Auditor, type AuditParameters, openAudit } from "../../keepers/src/roles/audit/audit.ts";
import type { Claim } from "../../keepers/src/roles/audit/claims.ts";
import { reportHtml } from "../../keepers/src/roles/audit/html.ts";
import type { AuditReport } from "../../keepers/src/roles/audit/report.ts";
import type { RunAuditParameters } from "../../keepers/src/roles/audit/run-claims.ts";
import { NotEnoughBundlesError } from "../../keepers/src/storage/client/errors.ts";
import { nativeExecutor } from "../../keepers/src/training/executors/native.ts";
import { limits } from "../keepers/roles/jobs/scene.ts";
import { AuditScene, type Lie, lyingProxy } from "./audit-scene.ts";

/** An entity as an endpoint gives it. */
type Told = Record<string, unknown> & { id: string };

const wrongOnes = (claims: readonly Claim[]) =>
  claims.filter(({ verdict }) => verdict === "wrong").map(({ id }) => id);
const claimOf = ({ claims }: AuditReport, id: string) => claims.find((claim) => claim.id === id)!;

describe("an audit", () => {
  let scene: AuditScene;
  let auditor: Auditor;

  before(async () => {
    scene = await AuditScene.start();
    const { client, deployment } = scene.stage.scene.network;
    auditor = await openAudit({ client, deployment, index: { url: scene.server.url, patience: 0 } });
  });
  after(() => scene?.close());

  const run = (intervals: RunAuditParameters["intervals"]): RunAuditParameters => {
    const { network, storage, owner } = scene.stage.scene;
    const folder = join(network.folder, "audit", String(intervals));
    return { storage: storage.of(owner), executor: nativeExecutor, limits, folder, intervals };
  };

  /** What an audit says whose index stands behind a liar. */
  const lied = async (lie: Lie, index: Partial<AuditParameters["index"]> = {}, job = scene.jobs.honest) => {
    const proxy = await lyingProxy(scene.server.url, lie);
    try {
      return await auditor.asking({ url: proxy.url, patience: 0, ...index }).job(job);
    } finally {
      await proxy.close();
    }
  };
  /** Changes the rows of one list. */
  const changing = (wanted: string, change: (rows: Told[]) => void): Lie => ({
    change: ({ list, body }) => {
      if (list === wanted) change(body.data.rows as Told[]);
    },
  });

  it("verifies a job that was done: order, committee, certificate, money, the model and all of its training", async () => {
    const report = await auditor.job(scene.jobs.honest, run("all"));
    assert.deepEqual(wrongOnes(report.claims), []);
    assert.equal(report.ok, true);
    const verified = report.claims.filter(({ verdict }) => verdict === "verified").map(({ id }) => id);
    for (const id of ["history", "order", "award", "job", "commitment", "attestation-1", "certificate"])
      assert.ok(verified.includes(id), id);
    for (const id of ["payments", "escrow", "program", "dataset", "stored-model", "intervals", "evaluation"])
      assert.ok(verified.includes(id), id);
    assert.deepEqual(
      report.claims.filter(({ verdict }) => verdict === "trusted").map(({ id }) => id),
      ["rpc"],
    );
    const curve = report.pictures.find(({ kind }) => kind === "curve");
    assert.equal(report.index, scene.server.url.replace(/(?<=:\d+\/).+/, "…"));
    assert.equal(curve?.kind === "curve" && curve.runs[0]!.length, 40, "every step's loss");
    await shown(report);
  });

  it("verifies the conviction of a provider that cheated, and computes the wrong interval again", async () => {
    const report = await auditor.job(scene.jobs.cheated, run(1));
    assert.deepEqual(wrongOnes(report.claims), []);
    assert.match(claimOf(report, "intervals").how, /Interval 4 came out otherwise than the provider said/);
    assert.match(claimOf(report, "disputes").statement, /provider was convicted/);
    assert.match(claimOf(report, "slashes").statement, /lost stake/);
    const narrowing = report.pictures.find(({ kind }) => kind === "narrowing");
    assert.equal(narrowing?.kind === "narrowing" && narrowing.levels[0]!.label, "interval 4 of 8");
    await shown(report);
  });

  it("verifies an auction, and names what was not computed: by wish, without a result, or for lack of memory", async () => {
    const report = await auditor.job(scene.jobs.auctioned, run(1));
    assert.deepEqual(wrongOnes(report.claims), []);
    assert.match(claimOf(report, "award").statement, /for 11 tokens, the lowest of 2 sealed bids/);
    assert.match(claimOf(report, "award").how, /The index tells one auction, as the chain does/);
    const parts = ["program", "dataset", "stored-model", "intervals"];
    const trusted = ({ claims }: AuditReport) =>
      claims.filter(({ verdict }) => verdict === "trusted").map(({ id }) => id);
    assert.deepEqual(trusted(report), ["rpc", ...parts]);
    assert.match(claimOf(report, "intervals").how, /never committed to a final result/);
    const chainAlone = await auditor.job(scene.jobs.honest);
    assert.deepEqual(trusted(chainAlone), ["rpc", ...parts]);
    assert.match(claimOf(chainAlone, "intervals").how, /computes nothing/);
    const small = await auditor.job(scene.jobs.honest, { ...run(1), limits: { threads: 1, memoryBytes: 1 } });
    assert.deepEqual(wrongOnes(small.claims), []);
    assert.match(claimOf(small, "program").how, /could not be checked on this machine/);
  });

  it("attack: what the provider, or the dataset's owner, has stored is encoded otherwise than it was anchored", async () => {
    const parameters = run(1);
    const failing = (method: "folder" | "objects", error: Error) => {
      const storage = { ...parameters.storage, [method]: () => Promise.reject(error) };
      return auditor.job(scene.jobs.honest, { ...parameters, storage });
    };
    const fraud = new WrongEncodingError("Object 0");
    assert.deepEqual(wrongOnes((await failing("folder", fraud)).claims), ["stored-model"]);
    assert.deepEqual(wrongOnes((await failing("objects", fraud)).claims), ["dataset"]);
    const silent = new NotEnoughBundlesError(0, 1, 2, []);
    const report = await failing("objects", silent);
    assert.deepEqual(wrongOnes(report.claims), []);
    assert.equal(claimOf(report, "dataset").verdict, "trusted");
  });

  it("attack: an index changes the end of an auction, or the text of an order", async () => {
    const { auctioned } = scene.jobs;
    const lies = [
      ["auctions", "revealUntil", "award"],
      ["auctions", "winner", "award"],
      ["orders", "training", "order"],
      ["orders", "createdAt", "order"],
    ] as const;
    for (const [list, field, claim] of lies) {
      const report = await lied(
        changing(list, (rows) => {
          rows[0]![field] = field === "winner" ? null : "7";
        }),
        {},
        auctioned,
      );
      assert.deepEqual(wrongOnes(report.claims), [claim], field);
      assert.match(claimOf(report, claim).differences[0]!.what, new RegExp(`: ${field}$`));
    }
  });

  it("says what a certificate is worth, and that there is none where a job failed", async () => {
    const report = await auditor.certificate(scene.jobs.honest);
    assert.deepEqual([report.subject, report.ok], ["certificate", true]);
    await assert.rejects(auditor.certificate(scene.jobs.cheated), /there is no certificate/);
    await assert.rejects(auditor.job(99n), /there is no job 99/);
  });

  it("verifies operators: the provider that was paid, the one that was slashed, a validator", async () => {
    const { consumer } = scene.stage.scene;
    for (const id of [scene.jobs.honest, scene.jobs.cheated]) {
      const report = await auditor.operator(consumer.ledger.job(id)!.provider!);
      assert.deepEqual(wrongOnes(report.claims), []);
      assert.match(claimOf(report, "jobs").statement, /one job/);
    }
    const { account } = scene.stage.seats[0]!;
    const validator = await auditor.operator(account.address);
    assert.deepEqual(wrongOnes(validator.claims), []);
    const { network } = scene.stage.scene;
    await network.give(account.address, 5n);
    const { deployment } = network;
    const { Staking } = deployment.addresses;
    await network.send(account, encodeCall(deployment, "AssayToken", "approve", [Staking, 5n]));
    await network.send(account, encodeCall(deployment, "Staking", "stake", [5n]));
    const later = await auditor.operator(account.address);
    assert.deepEqual(wrongOnes(later.claims), [], "what happened after the chain was read is left out");
    await assert.rejects(auditor.operator(`0x${"ab".repeat(20)}`), /nothing on this chain/);
  });

  it("verifies a dataset's anchor", async () => {
    const report = await auditor.dataset(scene.stage.scene.datasetId);
    assert.deepEqual(wrongOnes(report.claims), []);
    assert.equal(claimOf(report, "roots").verdict, "verified");
    assert.equal(claimOf(report, "storage").verdict, "trusted", "nothing was downloaded");
    await assert.rejects(auditor.dataset(`0x${"ab".repeat(32)}`), /there is no dataset/);
  });

  it("attack: an index changes a payment", async () => {
    const report = await lied(
      changing("payments", (rows) => {
        rows[0]!.amount = "1";
      }),
    );
    assert.deepEqual(wrongOnes(report.claims), ["payments"]);
    const [difference] = claimOf(report, "payments").differences;
    assert.match(difference!.what, /^payment .*: amount$/);
    assert.equal(difference!.told, "1");
    assert.notEqual(difference!.found, "1");
    assert.equal(report.ok, false);
  });

  it("attack: an index hides a slash", async () => {
    const report = await lied(
      changing("slashes", (rows) => rows.splice(0)),
      {},
      scene.jobs.cheated,
    );
    assert.deepEqual(wrongOnes(report.claims), ["slashes"]);
    assert.equal(claimOf(report, "slashes").differences[0]!.what, "a slash is left out");
  });

  it("attack: an index gives another state root, for the job or for its certificate", async () => {
    const other = `0x${"5a".repeat(32)}`;
    for (const [list, claim] of [
      ["jobs", "job"],
      ["certificates", "certificate"],
    ] as const) {
      const report = await lied(
        changing(list, (rows) => {
          rows[0]!.stateRoot = other;
        }),
      );
      assert.deepEqual(wrongOnes(report.claims), [claim]);
      assert.equal(claimOf(report, claim).differences[0]!.told, other);
    }
  });

  it("attack: an index leaves out an event, changes a parameter of one, or leaves out a dispute's move", async () => {
    const left = await lied(changing("events", (rows) => rows.splice(3, 1)));
    assert.deepEqual(wrongOnes(left.claims), ["history"]);
    const changed = await lied(
      changing("events", (rows) => {
        const event = rows.find(({ name }) => name === "PricePaid")!;
        event.parameters = String(event.parameters).replace(/"amount":"\d+"/, '"amount":"7"');
      }),
    );
    assert.deepEqual(wrongOnes(changed.claims), ["history"]);
    assert.match(claimOf(changed, "history").differences[0]!.what, /parameters/);
    const moved = await lied(
      changing("moves", (rows) => rows.splice(0, 1)),
      {},
      scene.jobs.cheated,
    );
    assert.deepEqual(wrongOnes(moved.claims), ["disputes"]);
  });

  it("attack: an index invents a certificate, a signer, or an attestation", async () => {
    let certificate: Told;
    await lied(
      changing("certificates", (rows) => {
        certificate = { ...rows[0]! };
      }),
    );
    const invented = await lied(
      changing("certificates", (rows) =>
        rows.push({ ...certificate!, job: { id: String(scene.jobs.cheated) } }),
      ),
      {},
      scene.jobs.cheated,
    );
    assert.deepEqual(wrongOnes(invented.claims), ["certificate"]);
    assert.equal(claimOf(invented, "certificate").differences[0]!.what, "a certificate is invented");
    const signed = await lied(
      changing("attestations", (rows) => {
        const [attestation] = rows as [Told];
        attestation.signers = String(BigInt(String(attestation.signers)) | 8n);
        attestation.members = [...(attestation.members as { id: string }[]), { id: "1" }];
      }),
    );
    assert.deepEqual(wrongOnes(signed.claims), ["committees"]);
    const fields = claimOf(signed, "committees").differences.map(({ what }) => what.split(": ").at(-1));
    assert.deepEqual(fields.sort(), ["members", "signers"]);
  });

  it("attack: an index answers with garbage, without end, or never; the chain is audited all the same", async () => {
    const cases: [Lie["instead"], RegExp][] = [
      [
        (_list, _request, response) => Boolean(response.end("<html>no</html>")),
        /no answer|not the form|status/,
      ],
      [
        (_list, _request, response) => {
          response.setHeader("content-type", "application/json").end('{"data":{"rows":7,"_meta":[]}}');
          return true;
        },
        /form that was asked for/,
      ],
      [(_list, _request, response) => Boolean(response.writeHead(500).end()), /./],
      [() => true, /did not answer in time/],
    ];
    for (const [instead, said] of cases) {
      const report = await lied({ instead }, { timeout: 500 });
      assert.deepEqual(wrongOnes(report.claims), ["index-answers"]);
      assert.match(claimOf(report, "index-answers").how, said);
      assert.equal(claimOf(report, "payments").verdict, "verified");
      assert.equal(claimOf(report, "history").verdict, "trusted");
    }
    const endless: Lie["instead"] = (list, _request, response) => {
      if (list !== "payments") return false;
      const chunk = "x".repeat(1 << 20);
      const more = () => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on("drain", more);
      more();
      return true;
    };
    const report = await lied({ instead: endless });
    assert.match(claimOf(report, "index-answers").how, /larger than 8388608 bytes/);
  });

  it("attack: an index stands still just before a conviction, or follows another chain", async () => {
    const events = await scene.eventBlocks("ProviderConvicted");
    const before = Number(events[0]! - 1n);
    const still: Lie = {
      change: ({ list, body }) => {
        if (list !== "") return;
        body.data._meta = { block: { number: before, hash: null }, hasIndexingErrors: false };
      },
    };
    const report = await lied(still, {}, scene.jobs.cheated);
    assert.deepEqual(wrongOnes(report.claims), ["index-current"]);
    for (const name of ["DisputeGame.ProviderConvicted", "Staking.Slashed"])
      assert.ok(
        claimOf(report, "index-current").differences.some(({ what }) => what.startsWith(name)),
        name,
      );
    assert.match(claimOf(report, "slashes").statement, /one account lost stake/);
    assert.match(claimOf(report, "slashes").how, new RegExp(`stopped at block ${before}`));
    const money = report.pictures.find(({ kind }) => kind === "money");
    const flows = money?.kind === "money" ? money.flows : [];
    assert.ok(
      flows.some(({ label }) => label.startsWith("stake taken")),
      "the picture shows the slash",
    );
    const elsewhere = await lied({
      change: ({ list, body }) => {
        if (list === "") (body.data._meta as { block: { hash: string } }).block.hash = `0x${"12".repeat(32)}`;
      },
    });
    assert.match(claimOf(elsewhere, "index-current").how, /another chain/);
  });

  it("attack: what an index says is markup, or turns text around; the report stays a report", async () => {
    const report = await lied(
      changing("jobs", (rows) => {
        rows[0]!.reason = `<script>alert(1)</script><img src=x onerror="alert(2)">\u202egnorw`;
      }),
    );
    const html = reportHtml(report);
    assert.match(html, /&lt;script&gt;/);
    assert.doesNotMatch(html, /<script|<img|\u202e/);
    assert.doesNotMatch(html, /<[^>]*\s(src|href|on\w+)=/);
    assert.match(html, /default-src 'none'/);
  });

  it("is of the chain as it was read: what happens meanwhile makes no honest account wrong", async () => {
    const { network } = scene.stage.scene;
    const { auctioned } = scene.jobs;
    for (const call of ["callTimeout", "expire"] as const) {
      // First the training time passes, then the grace of the called timeout.
      await network.chain.advance(7_200);
      await network.send(network.admin, encodeCall(network.deployment, "JobRegistry", call, [auctioned]));
    }
    const report = await auditor.job(auctioned);
    assert.deepEqual(wrongOnes(report.claims), []);
    assert.equal(claimOf(report, "job").statement, "The job is not over yet.");
  });

  /** Keeps a report for whoever wants to look at it. */
  const shown = async (report: AuditReport) => {
    const html = reportHtml(report);
    for (const claim of report.claims) assert.ok(html.includes(`claim ${claim.verdict}`));
    assert.equal(html.match(/<svg/g)?.length ?? 0, report.pictures.length);
    assert.doesNotMatch(html, /NaN|undefined|\[object/);
    const { ASSAY_REPORTS: folder } = process.env;
    if (folder !== undefined) await writeFile(join(folder, `${report.subject}-${report.id}.html`), html);
  };
});
