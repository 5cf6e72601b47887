import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { decodeFunctionData, type Hex, parseUnits } from "viem";
import { type JobsShown, runJobs } from "../../keepers/src/roles/embedded/job-run.ts";
import { EmbeddedNetwork } from "../../keepers/src/roles/embedded/network.ts";
import { put } from "../../keepers/src/storage/client/put.ts";
import { openSource } from "../../keepers/src/storage/readers/open-source.ts";
import { loadConfig } from "../../keepers/src/training/config/load-config.ts";
import type { ObjectSequence } from "../../keepers/src/training/data/types.ts";
import { ruledElement } from "../../keepers/src/training/dispute/ruled-element.ts";
import { wasmExecutor } from "../../keepers/src/training/executors/wasm.ts";
import { newRun } from "../../keepers/src/training/trainer/new-run.ts";
import { prepare } from "../../keepers/src/training/trainer/prepare.ts";
import { train } from "../../keepers/src/training/trainer/train.ts";
import { AuditTrail } from "../../scripts/audit-trail.ts";
import { blocksOf } from "../docs/blocks.ts";
import { type OwnerClient, openOwner } from "./support/client.ts";

const configPath = join(import.meta.dirname, "../../docs/guides/training/job.yaml");
const tokens = (text: string) => parseUnits(text, 18);

/** Codes of `IJobRegistry.Status`. */
const finalised = 6;
const failed = 9;

describe("jobs on a network of five storage nodes", () => {
  let folder: string;
  let network: EmbeddedNetwork;
  let owner: OwnerClient;
  const found: Record<string, unknown>[] = [];
  let shown: JobsShown;
  let trail: AuditTrail;
  let consumerTokens: bigint;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "assay-job-run-"));
    network = await EmbeddedNetwork.start({ folder: join(folder, "network"), nodes: 5 });
    owner = await openOwner(network, folder);
    const { datasetId } = await put(owner, {
      source: await openSource("digits"),
      identity: "digits",
      directory: join(folder, "uploads"),
      commit: (bytes) => network.commitPool.commit(bytes),
      k: 2,
      n: 3,
      feePerAudit: 0n,
      epochs: 30,
    });
    consumerTokens = await balanceOf(network.owner.address);
    const stage = async <Details>(_: string, work: () => Promise<Details>) => {
      const details = await work();
      found.push(details as Record<string, unknown>);
      return details;
    };
    trail = await AuditTrail.start(network, folder);
    shown = await runJobs({ network, folder, datasetId, stage });
  });

  after(async () => {
    await trail?.close();
    await owner?.close();
    await network?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const balanceOf = (account: Hex) => owner.contracts.AssayToken.read.balanceOf([account]);
  /** Nine validators, providers in the order in which they were called in, the challenger last. */
  const [guesser, first, second, third, cheater, challenger] = [0, 9, 10, 11, 12, 13];
  const [ordered, fetched, cheated] = [1, 5, 6];
  const guest = (index: number) => network.guest(index).address;

  /** Six members agree; each has checked two intervals, for a token each. */
  const fees = tokens("12");

  it("give the order to the lowest of three sealed bids, and pay it that price", async () => {
    const { JobRegistry, Staking } = owner.contracts;
    const job = await JobRegistry.read.jobOf([1n]);
    assert.equal(job.status, finalised);
    assert.equal(job.provider, guest(second));
    assert.equal(job.price, tokens("11"));
    assert.deepEqual(found[ordered]!.bids, {
      "first provider": "14",
      "second provider": "11",
      "third provider": "12",
    });
    for (const loser of [first, third]) assert.equal(await balanceOf(guest(loser)), tokens("1000"));
    const { stake, locked } = await Staking.read.operatorOf([guest(second)]);
    assert.deepEqual([stake, locked], [tokens("1000"), 0n]);
    assert.equal(await balanceOf(network.owner.address), consumerTokens - tokens("11") - fees);
  });

  it("have it attested by a committee of which two are away, and pay those that agree", async () => {
    const { Committee, Staking, ModelCertificate } = owner.contracts;
    const { signers, silent } = await Committee.read.drawOf([1n, 1n]);
    const [revealed] = await Committee.getEvents.DigestsRevealed({ jobId: 1n }, { fromBlock: 0n });
    const differing = revealed!.args.differing!;
    const ones = (mask: bigint) => mask.toString(2).replaceAll("0", "").length;
    assert.deepEqual([ones(signers), ones(differing), silent], [7, 1, 0n]);
    const said = shown.committee.map((seat) => seat.said).sort();
    assert.deepEqual(said, [...Array<string>(6).fill("agrees"), "differs", "silent", "silent"]);
    const certificate = await ModelCertificate.read.certificateOf([1n]);
    assert.equal(certificate.isAttested, true);
    const { lieSlash } = await Committee.read.termsOf([1n]);
    const validators = Array.from({ length: 9 }, (_, i) => guest(guesser + i));
    const stakes = await Promise.all(validators.map((each) => Staking.read.operatorOf([each])));
    assert.deepEqual(
      stakes.map(({ stake }) => stake),
      validators.map((_, i) => tokens("200") - (i === guesser ? lieSlash : 0n)),
    );
    const paid = await Promise.all(validators.map(balanceOf));
    // Whoever was first to accuse the guesser has a share of the slash: a provider, or one of the other members.
    const withdrawn = await Staking.getEvents.Withdrawn({ account: validators }, { fromBlock: 0n });
    const sum = (amounts: readonly bigint[]) => amounts.reduce((total, each) => total + each, 0n);
    assert.equal(sum(paid), fees + sum(withdrawn.map(({ args }) => args.amount!)));
    // The guesser and the away ones have nothing.
    assert.equal(paid[guesser], 0n);
    assert.deepEqual(paid.slice(-2), [0n, 0n]);
    const attest = shown.attestation.filter(({ call, reverted }) => call === "Committee.attest" && !reverted);
    assert.equal(attest.length, 1);
  });

  const builtInDigits = async () => {
    const data = await openSource("digits", { csv: { label: "last" } });
    const format = data.format();
    return { ...data, records: format.kind === "records" ? format : undefined } as ObjectSequence;
  };

  it("certify the model that another engine makes of the built-in digits", async () => {
    const config = await loadConfig(configPath);
    const own = join(folder, "again");
    const prepared = await prepare({ config, folder: own, open: builtInDigits });
    const session = await wasmExecutor.open(prepared.compiled.program, prepared.options);
    try {
      const run = await newRun({ path: own, config, prepared, session });
      const { source } = prepared;
      const { stateRoot } = await train({ run, session, source, checkpoint: { every: 264 } });
      const certificate = await owner.contracts.ModelCertificate.read.certificateOf([1n]);
      assert.equal(certificate.stateRoot, stateRoot);
      assert.equal(found[fetched]!.stateRoot, stateRoot);
    } finally {
      await session.close();
      await prepared.close();
    }
    assert.equal(await owner.contracts.ModelCertificate.read.ownerOf([1n]), network.owner.address);
    assert.equal(found[fetched]!.accuracy, "95.83 %");
  });

  it("convict, slash and refund when a provider flips one bit of one weight", async () => {
    const { JobRegistry, DisputeGame, Staking, Escrow, Market } = owner.contracts;
    const job = await JobRegistry.read.jobOf([2n]);
    assert.deepEqual([job.status, job.provider], [failed, guest(cheater)]);
    assert.equal(found[cheated]!.interval, 12, "step 137, eleven steps in an interval");
    const { stake, locked } = await Staking.read.operatorOf([guest(cheater)]);
    assert.deepEqual([stake, locked], [tokens("900"), 0n]);
    for (const { address } of [Escrow, Market]) assert.equal(await balanceOf(address), 0n);
    assert.equal(await DisputeGame.read.openChallenges([2n]), 0n);
    assert.ok(
      (await network.chain.balanceOf(guest(challenger))) > 10_000n * 10n ** 18n,
      "more than at first",
    );
  });

  it("are audited by a stranger who believes nothing: chain, proofs, data, steps, model", async () => {
    const reports = join(folder, "reports");
    const audited = await trail.audit(["1", "2"], reports, folder);
    for (const { report, path } of audited) {
      assert.equal(report.tally.wrong, 0);
      const trusted = report.claims.filter(({ verdict }) => verdict === "trusted");
      const reasons = trusted.map(({ statement, how }) => `${statement} ${how}`).join("\n");
      assert.deepEqual(
        trusted.map(({ id }) => id),
        ["rpc"],
        reasons,
      );
      assert.match(await readFile(path, "utf8"), /<svg/);
    }
    const [done, convicted] = await Promise.all(audited.map(({ path }) => readFile(path, "utf8")));
    assert.match(done!, /the model is right on 95\.83 %/);
    assert.match(convicted!, /Interval 12 came out otherwise than the provider said/);
    const [address] = await trail.serveReports();
    assert.equal(await (await fetch(address!)).text(), done);
  });

  /** What the guide's commands say that need a job: each has to end well. */
  const guided = async (guide: string, own: NodeJS.ProcessEnv = {}): Promise<string[]> => {
    const root = join(import.meta.dirname, "../..");
    const home = join(folder, `guide-${guide}`);
    await mkdir(home);
    const env = {
      ...process.env,
      ASSAY_RPC_URL: network.chain.rpcUrl,
      ASSAY_DEPLOYMENT: network.deploymentPath,
      ASSAY_HOME: join(home, ".assay"),
      ASSAY_SUBGRAPH_URL: trail.url,
      ...own,
    };
    const blocks = blocksOf(await readFile(join(root, "docs/guides", `${guide}.md`), "utf8"));
    const lines = blocks.filter(({ info }) => info === "sh job").flatMap(({ lines: each }) => each);
    const said: string[] = [];
    for (const line of lines) {
      const words = line.replace(/^npm run assay -- /, "").split(" ");
      const command = [join(root, "scripts/run.mjs"), "keepers/src/cli/main.ts", ...words];
      said.push((await promisify(execFile)(process.execPath, command, { cwd: home, env })).stdout);
    }
    return said;
  };

  it("are audited by the commands of the guide for auditors", async () => {
    const [job, all, certificate, ...more] = await guided("auditor");
    assert.deepEqual(more, []);
    assert.match(await readFile(join(folder, "guide-auditor", "job.html"), "utf8"), /<svg/);
    for (const said of [job, all]) assert.match(said!, /verified here/i);
    const report = JSON.parse(certificate!) as { ok: boolean; claims: { id: string; verdict: string }[] };
    assert.equal(report.ok, true);
    assert.equal(report.claims.find(({ id }) => id === "intervals")?.verdict, "verified");
  });

  it("have their certificate shown and verified by the commands of the guide to jobs", async () => {
    const [shownCertificate, verified, ...more] = await guided("jobs", {
      ASSAY_PRIVATE_KEY: network.guestKey(challenger + 1),
    });
    assert.deepEqual(more, []);
    assert.match(shownCertificate!, /attested/i);
    assert.notEqual(verified, "");
  });

  it("come down to two numbers that differ by the bit that was flipped, as the ruling's transaction tells", async () => {
    const { DisputeGame } = owner.contracts;
    const [convicted] = await network.client.public.getContractEvents({
      address: DisputeGame.address,
      abi: DisputeGame.abi,
      eventName: "ProviderConvicted",
      fromBlock: network.deployment.startBlock,
    });
    const { input } = await network.client.public.getTransaction({ hash: convicted!.transactionHash });
    const { functionName, args } = decodeFunctionData({ abi: DisputeGame.abi, data: input });
    assert.equal(functionName, "play");
    const ruled = ruledElement((args as readonly [bigint, number, Hex])[2])!;
    assert.deepEqual([ruled.opcode, ruled.step, ruled.element], ["SGD_WEIGHT", 137, 101]);
    assert.equal(ruled.claimed ^ ruled.computed, 1n << 13n);
  });

  it("list every transaction of the dispute with the gas that it took", async () => {
    const { dispute } = shown;
    const game = dispute.filter(({ call }) => call.startsWith("DisputeGame."));
    assert.deepEqual([game[0]!.from, game[0]!.call], ["challenger", "DisputeGame.challenge"]);
    assert.equal(game.filter(({ call }) => call === "DisputeGame.play ruleElement").length, 1);
    assert.ok(game.every(({ gas }) => gas > 21_000 && gas < 500_000));
    const settlements = dispute.filter(({ call, reverted }) => call === "JobRegistry.settle" && !reverted);
    assert.deepEqual(
      settlements.map(({ gas }) => gas),
      [found[cheated]!.settlementGas],
      "once, in a transaction of its own",
    );
    const nonce = await network.client.public.getTransactionCount({ address: guest(challenger) });
    assert.equal(dispute.filter(({ from }) => from === "challenger").length, nonce);
  });
});
