import { type Address, decodeFunctionData, type Hex, isAddressEqual } from "viem";
import { abis } from "../../chain/abi/index.ts";
import type { ChainClient } from "../../chain/client.ts";
import { type AssayEvent, addressOf } from "../../chain/contracts.ts";
import { isStateGone } from "../../chain/rpc/errors.ts";
import { isSignedBy, isSignedByKey } from "../../chain/signatures.ts";
import { bidCommitment, bidDigest, type MarketDomain, orderDigest } from "../../core/market/typed-data.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import type { ChainHistory, Stamp, Stamps } from "./history.ts";

/** How an account stands by something that was done in its name. */
export type SignatureFinding = {
  readonly what: "order" | "bid" | "sealed bid";
  readonly author: Address;
  readonly transaction: Hex;
  /**
   * signed: with a signature that holds here (EIP-712; ERC-1271 when the author is a contract). sent: it sent the
   * transaction itself. sealed: what was revealed is what it had committed to. unread: another contract relayed it. past:
   * the author is a contract, and the endpoint does not keep the state of that time.
   */
  readonly by: "signed" | "sent" | "sealed" | "unread" | "past";
  readonly holds: boolean;
};

export type SignatureParameters = {
  readonly client: ChainClient;
  readonly history: ChainHistory;
  readonly stamps: Stamps;
  readonly record: JobRecord;
  readonly posted: Extract<AssayEvent, { eventName: "OrderPosted" }> | undefined;
  readonly events: readonly AssayEvent[];
};

type MarketCall = ReturnType<typeof decodeFunctionData<(typeof abis)["Market"]>>;
type Checked = Omit<SignatureFinding, "what" | "author" | "transaction">;

/** Verifies again who stands behind an order and the bids for it. */
export async function signatureFindings(parameters: SignatureParameters): Promise<SignatureFinding[]> {
  const findings: SignatureFinding[] = [];
  for (const { event, what, author, check } of signedThings(parameters)) {
    const transaction = event.transactionHash;
    findings.push({ what, author, transaction, ...(await check(parameters.stamps.get(transaction)!)) });
  }
  return findings;
}

type SignedThing = Pick<SignatureFinding, "what" | "author"> & {
  readonly event: AssayEvent;
  check(stamp: Stamp): Promise<Checked>;
};

/** Something that was signed, and what it came with. */
type Signature = {
  readonly digest: Hex;
  readonly signature: Hex;
  readonly stamp: Stamp;
  /** Block in which the market took it. */
  readonly blockNumber: bigint;
};

function signedThings(parameters: SignatureParameters): SignedThing[] {
  const { record, posted, events } = parameters;
  const { consumer: author } = record;
  const things: SignedThing[] = [];
  if (posted !== undefined)
    things.push({
      event: posted,
      what: "order",
      author,
      check: (stamp) => checkPosted(parameters, posted, stamp),
    });
  for (const event of events) {
    if (event.contract !== "Market") continue;
    if (event.eventName === "BidAccepted") {
      const { bid } = event.args;
      const check = (stamp: Stamp) => checkAccepted(parameters, event, stamp);
      things.push({ event, what: "bid", author: bid.provider, check });
      if (posted === undefined) {
        const checkOrder = (stamp: Stamp) => checkAcceptedOrder(parameters, event, stamp);
        things.push({ event, what: "order", author, check: checkOrder });
      }
    } else if (event.eventName === "BidRevealed") {
      const { provider, bid } = event.args;
      const committed = events.find(
        (each) =>
          each.contract === "Market" &&
          each.eventName === "BidCommitted" &&
          isAddressEqual(each.args.provider, provider),
      );
      const commitment = (committed?.args as { commitment?: Hex } | undefined)?.commitment;
      const check = async (stamp: Stamp) => checkRevealed(parameters, bid, commitment, stamp);
      things.push({ event, what: "sealed bid", author: provider, check });
    }
  }
  return things;
}

const unread: Checked = { by: "unread", holds: true };
const sentBy = (stamp: Stamp, author: Address): Checked => ({
  by: "sent",
  holds: isAddressEqual(stamp.from, author),
});

function checkPosted(
  parameters: SignatureParameters,
  { args, blockNumber }: NonNullable<SignatureParameters["posted"]>,
  stamp: Stamp,
): Promise<Checked> {
  const { history, record } = parameters;
  const isRelayed = args.signature === "0x" && callOf(history, stamp) === undefined;
  const digest = orderDigest(record.order, domainOf(history));
  return isRelayed
    ? Promise.resolve(unread)
    : authored(parameters, record.consumer, { digest, signature: args.signature, stamp, blockNumber });
}

type Accepted = Extract<AssayEvent, { eventName: "BidAccepted" }>;

async function checkAccepted(
  parameters: SignatureParameters,
  { args: { bid }, blockNumber }: Accepted,
  stamp: Stamp,
): Promise<Checked> {
  const { history } = parameters;
  const call = callOf(history, stamp);
  if (call?.functionName !== "accept" && call?.functionName !== "acceptWithPermit") return unread;
  const signature = call.functionName === "accept" ? call.args[4] : call.args[3];
  const digest = bidDigest(bid, domainOf(history));
  return authored(parameters, bid.provider, { digest, signature, stamp, blockNumber });
}

async function checkAcceptedOrder(
  parameters: SignatureParameters,
  { blockNumber }: Accepted,
  stamp: Stamp,
): Promise<Checked> {
  const { history, record } = parameters;
  const call = callOf(history, stamp);
  if (call?.functionName === "acceptWithPermit") return sentBy(stamp, record.consumer);
  if (call?.functionName !== "accept") return unread;
  const digest = orderDigest(record.order, domainOf(history));
  return authored(parameters, record.consumer, { digest, signature: call.args[2], stamp, blockNumber });
}

/** As the market took it, at that time: who sends a transaction need not sign it as well. */
async function authored(
  { client }: SignatureParameters,
  author: Address,
  { digest, signature, stamp, blockNumber }: Signature,
): Promise<Checked> {
  if (signature === "0x") return sentBy(stamp, author);
  // A key's own signature needs no state, which only archives keep.
  if (await isSignedByKey(author, digest, signature)) return { by: "signed", holds: true };
  try {
    const holds = await isSignedBy(client.public, author, digest, signature, blockNumber);
    return { by: "signed", holds };
  } catch (error) {
    if (!isStateGone(error)) throw error;
    return { by: "past", holds: true };
  }
}

function checkRevealed(
  { history, record }: SignatureParameters,
  bid: Parameters<typeof bidDigest>[0],
  commitment: Hex | undefined,
  stamp: Stamp,
): Checked {
  const call = callOf(history, stamp);
  if (call?.functionName !== "revealBid") return unread;
  const [jobId, , salt] = call.args;
  const sealed = bidCommitment({ ...domainOf(history), jobId, bid, salt });
  return { by: "sealed", holds: jobId === record.jobId && sealed === commitment };
}

/** The call of the market that a transaction made; undefined when another contract made it. */
function callOf({ deployment }: ChainHistory, { to, input }: Stamp): MarketCall | undefined {
  if (to === null || !isAddressEqual(to, addressOf(deployment, "Market"))) return undefined;
  return decodeFunctionData({ abi: abis.Market, data: input });
}

function domainOf({ chainId, deployment }: ChainHistory): MarketDomain {
  return { chainId, market: addressOf(deployment, "Market") };
}
