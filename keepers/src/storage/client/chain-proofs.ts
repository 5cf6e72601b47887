import { decodeFunctionData, type Hex, hexToBytes, isAddressEqual } from "viem";
import { abis } from "../../chain/abi/index.ts";
import { addressOf } from "../../chain/contracts.ts";
import { auditPoint, bundleIndices, coverIndices } from "../../core/audit/challenge.ts";
import type { PossessionClaim } from "../../core/audit/claims.ts";
import { bundlePlace, segmentLayout } from "../../core/dataset/layout.ts";
import { writeWords } from "../../core/groth16/bytes.ts";
import { compressProof } from "../../core/groth16/compress.ts";
import { decodeProof256 } from "../../core/groth16/encode.ts";
import { openingCircuits, packIndices } from "../../core/groth16/inputs.ts";
import { bundleId } from "../../core/ids.ts";
import type { ChainView } from "./client.ts";
import { forEachConcurrently } from "./concurrency.ts";
import type { Holder, KnownDataset } from "./dataset.ts";
import { type Events, readLogs } from "./read-logs.ts";
import { reasonOf } from "./reason.ts";

/** A claim as it stands on chain. */
export type ChainClaim = PossessionClaim & { epoch: number; transaction: Hex };

export type ChainProofs = {
  claims: ChainClaim[];
  /** Bundles whose latest answer could not be read, and why: the contract checked it, we did not. */
  unread: { bundleIndex: number; reason: string }[];
  /** Held bundles without an answer in the epochs looked at, and whether an epoch is over that they should have answered. */
  unanswered: { bundleIndex: number; overdue: boolean }[];
};

type Answer = Events<"StorageAudit", "AuditAnswered">[number];
type AuditCall = { functionName: string; args: readonly unknown[] };

/** Epochs looked back for answers, the current one included. */
const epochsLookedBack = 4;

/**
 * The latest audit answers of a dataset's holders, from the calldata of their transactions, with the public signals
 * computed anew from the manifest and the epoch's seed. Nothing here has been verified yet.
 */
export async function readChainProofs(
  client: ChainView,
  dataset: KnownDataset,
  holders: readonly Holder[],
  signal?: AbortSignal,
): Promise<ChainProofs> {
  const current = await client.contracts.StorageAudit.read.currentEpoch();
  const epochs = Array.from({ length: epochsLookedBack }, (_, i) => current - i).filter(
    (epoch) => epoch >= 0,
  );
  const held = holders.filter(({ operator }) => operator !== undefined);
  const duties = held.flatMap((holder) => dutiesOf(dataset, holder));
  const result: ChainProofs = { claims: [], unread: [], unanswered: [] };
  if (duties.length === 0) return result;
  const answers = await readLogs(client, "StorageAudit", "AuditAnswered", {
    dutyId: [...new Set(duties)],
    epoch: epochs,
  });
  const byAnswer = new Map<string, { answer: Answer; bundles: number[] }>();
  for (const holder of held) {
    const answer = latestAnswer(dataset, holder, answers);
    if (answer === undefined) {
      result.unanswered.push({ bundleIndex: holder.bundleIndex, overdue: holder.since < current });
      continue;
    }
    const key = `${answer.args.dutyId} ${answer.args.epoch}`;
    const group = byAnswer.get(key) ?? { answer, bundles: [] };
    group.bundles.push(holder.bundleIndex);
    byAnswer.set(key, group);
  }
  await forEachConcurrently([...byAnswer.values()], 8, signal, async ({ answer, bundles }) => {
    try {
      result.claims.push(await readClaim(client, dataset, answer, bundles));
    } catch (error) {
      signal?.throwIfAborted();
      for (const bundleIndex of bundles) result.unread.push({ bundleIndex, reason: reasonOf(error) });
    }
  });
  return result;
}

function dutiesOf({ datasetId }: KnownDataset, { bundleIndex, coverId }: Holder): Hex[] {
  const id = bundleId(datasetId, bundleIndex);
  return coverId === undefined ? [id] : [id, coverId];
}

function latestAnswer(dataset: KnownDataset, holder: Holder, answers: readonly Answer[]): Answer | undefined {
  const duties = dutiesOf(dataset, holder);
  return answers
    .filter(
      ({ args }) =>
        duties.includes(args.dutyId) &&
        args.epoch >= holder.since &&
        isAddressEqual(args.operator, holder.operator!),
    )
    .sort((a, b) => a.args.epoch - b.args.epoch)
    .at(-1);
}

async function readClaim(
  client: ChainView,
  dataset: KnownDataset,
  answer: Answer,
  bundles: number[],
): Promise<ChainClaim> {
  const { dutyId: duty, epoch, operator, evaluation } = answer.args;
  const audit = addressOf(client.deployment, "StorageAudit");
  const [[seed], { to, input }] = await Promise.all([
    client.contracts.StorageAudit.read.windowOf([epoch]),
    client.chain.public.getTransaction({ hash: answer.transactionHash }),
  ]);
  if (to === null || !isAddressEqual(to, audit)) {
    throw new Error(`it was answered through another contract, ${to}`);
  }
  const call: AuditCall = decodeFunctionData({ abi: abis.StorageAudit, data: input });
  const chainId = BigInt(client.deployment.chainId);
  const context = { seed, duty, operator, epoch: BigInt(epoch), chainId, auditContract: audit };
  const common = { duty, operator, epoch, bundles, transaction: answer.transactionHash };
  if (call.functionName === "answer") {
    const [bundleIndex] = bundles;
    const root = BigInt(dataset.manifest.bundles[bundleIndex!]!.poseidonRoot);
    const { cells } = segmentLayout(dataset.layout, bundlePlace(dataset.layout, bundleIndex!).segment);
    const indices = packed("possession", bundleIndices({ seed, duty, operator }, cells));
    const publicSignals = [evaluation, root, ...indices, auditPoint({ ...context, root })];
    return { ...common, kind: "possession", claim: { proof: proofBytes(call.args[3]), publicSignals } };
  }
  if (call.functionName === "answerCover") {
    // That the covering root covers these bundles was proven to the registry when the cover was registered.
    const { root } = await client.contracts.BundleRegistry.read.coverOf([duty]);
    const cells = hexToBytes(call.args[3] as Hex);
    const counts = Array.from(
      { length: cells.length / 2 },
      (_, i) => cells[2 * i]! * 256 + cells[2 * i + 1]!,
    );
    const indices = packed("covering", coverIndices({ seed, duty, operator }, counts));
    const publicSignals = [evaluation, root, ...indices, auditPoint({ ...context, root })];
    return { ...common, kind: "covering", claim: { proof: proofBytes(call.args[4]), publicSignals } };
  }
  throw new Error(`its transaction calls ${call.functionName}`);
}

function packed(circuit: keyof typeof openingCircuits, indices: readonly number[]): bigint[] {
  const { depth, indicesPerWord } = openingCircuits[circuit];
  return packIndices(indices, 2 * depth, indicesPerWord);
}

/** The 128-byte form of a proof in calldata. Throws when it is none: the contract cannot have taken it. */
function proofBytes(words: unknown): Uint8Array {
  return compressProof(decodeProof256(writeWords(words as readonly bigint[])));
}
