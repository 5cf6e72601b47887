import { formatEther, type Hex } from "viem";
import { AssayError, exitCode } from "../../core/errors.ts";
import { showEncodingFraud } from "../../roles/jobs/encoding-fraud.ts";
import { type AskedBefore, RetrievalChallenger, readAsked } from "../../roles/jobs/retrieval-challenger.ts";
import { datasetStatus } from "../../storage/client/anchor.ts";
import type { StorageClient } from "../../storage/client/client.ts";
import { parseDatasetId, readAnchor } from "../../storage/client/dataset.ts";
import { type AskedCell, cellsToAsk, type Probe, probe } from "../../storage/client/probe.ts";
import type { CommandContext } from "../context.ts";
import { dutyContext } from "../duty-context.ts";

export type ChallengeDataOptions = {
  dryRun?: boolean;
  maxChallengeBonds: bigint;
  segments: number;
  fetchTime: number;
};

/** `assay data challenge` */
export async function challengeDataset(
  context: CommandContext,
  id: string,
  options: ChallengeDataOptions,
): Promise<number> {
  const { signal, output } = context;
  const datasetId = parseDatasetId(id);
  const client = await context.storageClient();
  const duties = options.dryRun === true ? undefined : await dutyContext(context, client);
  const challenger = duties && new RetrievalChallenger(duties);
  // Those of an earlier call first: what can be ended gives its bond back.
  const earlier = await end(challenger, datasetId, signal);
  await requireOwed(client, datasetId);
  const { segments: mostSegments, fetchTime: seconds } = options;
  const found = await probe(client, { datasetId, mostSegments, seconds, signal });
  const { fraud } = found;
  if (fraud !== undefined) {
    // Of a dataset that is over nobody is asked for anything.
    const isShown = duties !== undefined && (await showEncodingFraud(duties, fraud));
    output.result({ ...documentOf(found), isFraudulent: true, isShown }, [
      ...linesOf(found),
      `fraud      its bundles are no codeword${isShown ? "; the contracts know it, and who showed it has half of its bond" : ""}`,
    ]);
    return exitCode.failure;
  }
  const bond = await client.contracts.RetrievalChallenges.read.bond();
  const before = earlier ?? (await readAsked(client, datasetId));
  const cells =
    before.open.length > 0
      ? []
      : cellsToAsk(found, {
          most: Number(options.maxChallengeBonds / bond),
          isAnswered: before.isAnswered,
        });
  const asked = challenger === undefined ? cells : await challenger.ask(cells, before, signal);
  const open = challenger === undefined ? [] : (await challenger.askedOf(datasetId)).open;
  const bonds = BigInt(asked.length) * bond;
  const isSent = challenger !== undefined;
  const until = open.at(-1)?.deadline ?? null;
  output.result(
    {
      ...documentOf(found),
      isSent,
      asked: asked.map(({ bundle: { bundleIndex, bundleId, operator }, cell }) => ({
        ...{ bundleIndex, bundleId, operator, cell },
      })),
      bond,
      bonds,
      open: open.length,
      openUntil: until,
    },
    [
      ...linesOf(found),
      ...askedLines(asked, bonds, isSent),
      ...(until === null
        ? []
        : [
            `open       ${open.length} challenges; run this again after ${new Date(Number(until) * 1000).toISOString()}`,
          ]),
    ],
  );
  const isWhole = found.looked === Math.min(found.segments, mostSegments);
  return isWhole && found.unreadable.length === 0 ? exitCode.ok : exitCode.failure;
}

/** Brings challenges of an earlier call to an end, as far as their time has come. */
async function end(
  challenger: RetrievalChallenger | undefined,
  datasetId: Hex,
  signal: AbortSignal,
): Promise<AskedBefore | undefined> {
  const before = await challenger?.askedOf(datasetId);
  if (before === undefined || before.own === 0) return before;
  await challenger!.end(datasetId, before, signal);
  return await challenger!.again(before);
}

/** @throws AssayError when no holder has to serve a dataset any more; UnknownDatasetError */
async function requireOwed(client: StorageClient, datasetId: Hex): Promise<void> {
  const { anchor } = await readAnchor(client, datasetId);
  const epoch = await client.contracts.DatasetRegistry.read.currentEpoch();
  if (anchor.status === datasetStatus.active && epoch < anchor.endEpoch) return;
  throw new AssayError(`nobody has to serve ${datasetId} any more`, {
    next: "Its paid epochs are over, or it was closed or shown to be wrongly encoded; `assay data health` says which.",
    exitCode: exitCode.unavailable,
  });
}

function documentOf({ datasetId, k, n, segments, looked, unreadable }: Probe) {
  return {
    ...{ datasetId, k, n, segments, looked },
    unreadable: unreadable.map(({ unserved, ...segment }) => ({
      ...segment,
      unserved: unserved.map(({ bundleIndex, operator, reason, cells }) => ({
        ...{ bundleIndex, operator, reason, cells },
      })),
    })),
  };
}

function linesOf({ k, n, segments, looked, unreadable }: Probe): string[] {
  return [
    `looked at  ${looked} of ${segments} segments; ${unreadable.length} cannot be read`,
    ...unreadable.flatMap(({ segment, served, vacant, unserved }) => [
      `segment ${segment}: ${served} of ${n} bundles are served, ${k} are needed, ${vacant} are held by nobody`,
      ...unserved.map(
        ({ bundleIndex, operator, reason }) => `  bundle ${bundleIndex} (${operator}): ${reason}`,
      ),
    ]),
  ];
}

function askedLines(asked: readonly AskedCell[], bonds: bigint, isSent: boolean): string[] {
  if (asked.length === 0) return [isSent ? "asked for  nothing more" : "would ask  for nothing more"];
  const cost = `${formatEther(bonds)} of the chain's coin in bonds, and gas`;
  return [
    `${isSent ? "asked for " : "would ask "} ${asked.length} cells: ${cost}`,
    ...asked.map(({ bundle, cell }) => `  bundle ${bundle.bundleIndex}, cell ${cell} (${bundle.operator})`),
  ];
}
