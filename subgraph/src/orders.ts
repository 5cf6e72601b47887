import { Address, BigInt, Bytes, ethereum } from "@graphprotocol/graph-ts";
import { Order } from "../generated/schema";
import { network } from "./record";

const schemes = ["Optimistic", "Committee", "Both"];

/**
 * The order of an event, made when it is not there. The market and the registry emit the same struct, as different classes
 * of generated code: it is read by position (contracts/jobs/interfaces/Orders.sol).
 */
export function orderOf(event: ethereum.Event, hash: Bytes, struct: ethereum.Tuple): Order {
  const existing = Order.load(hash);
  if (existing != null) return existing;
  const problem = struct[1].toTuple();
  const conditions = struct[2].toTuple();
  const order = new Order(hash);
  order.consumer = struct[0].toAddress();
  order.datasetId = problem[0].toBytes();
  order.dataset = order.datasetId;
  order.trainingHash = problem[1].toBytes();
  order.programRoot = problem[2].toBytes();
  order.programDigest = problem[6].toBytes();
  order.maximumPrice = conditions[0].toBigInt();
  order.deposit = conditions[1].toBigInt();
  const feed = conditions[2].toAddress();
  if (feed.notEqual(Address.zero())) order.priceFeed = feed;
  order.trainingTime = conditions[3].toBigInt();
  order.minimumCompute = conditions[4].toBigInt();
  order.regions = conditions[5].toBigInt();
  order.regulations = conditions[6].toBigInt();
  order.privacyTier = conditions[7].toI32();
  order.scheme = schemes[conditions[8].toI32()];
  order.committeeSize = conditions[9].toI32();
  order.threshold = conditions[10].toI32();
  order.checkFee = conditions[11].toBigInt();
  order.instalments = conditions[12].toI32();
  order.nonce = struct[3].toBigInt();
  order.expiry = struct[4].toBigInt();
  order.isPosted = false;
  order.createdAt = event.block.timestamp;
  const total = network();
  total.orders += 1;
  total.save();
  return order;
}

/** Parameter of an event by its name, as a tuple. */
export function tupleOf(event: ethereum.Event, name: string): ethereum.Tuple {
  for (let i = 0; i < event.parameters.length; i++)
    if (event.parameters[i].name == name) return event.parameters[i].value.toTuple();
  throw new Error("an event has no parameter " + name);
}

/** Claims of the dispute game carry the number of a checkpoint above the job's 48 bits (contracts/jobs/ClaimIds.sol). */
const jobBits: u8 = 48;

export function jobOfClaim(claim: BigInt): string {
  return claim.minus(checkpointBits(claim).leftShift(jobBits)).toString();
}

export function checkpointOfClaim(claim: BigInt): i32 {
  return checkpointBits(claim).toI32();
}

function checkpointBits(claim: BigInt): BigInt {
  return claim.rightShift(jobBits);
}

export function bidId(job: BigInt, provider: Bytes): string {
  return job.toString() + "-" + provider.toHexString();
}
