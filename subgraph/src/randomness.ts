import { BigInt, Bytes, ethereum } from "@graphprotocol/graph-ts";
import { Randomness } from "../generated/schema";
import { zero } from "./record";

/** Draws of one beacon; each kind of beacon emits the same three events. */
function drawOf(event: ethereum.Event, request: BigInt): Randomness {
  const id = event.address.toHexString() + "-" + request.toString();
  const existing = Randomness.load(id);
  if (existing != null) return existing;
  const created = new Randomness(id);
  created.beacon = event.address;
  created.request = request;
  created.requester = event.address;
  created.requestedAt = zero;
  created.redraws = 0;
  return created;
}

export function requested(event: ethereum.Event, request: BigInt, requester: Bytes): void {
  const draw = drawOf(event, request);
  draw.requester = requester;
  draw.requestedAt = event.block.timestamp;
  draw.save();
}

export function ready(event: ethereum.Event, request: BigInt, seed: Bytes): void {
  const draw = drawOf(event, request);
  draw.seed = seed;
  draw.readyAt = event.block.timestamp;
  draw.save();
}

export function redrawn(event: ethereum.Event, request: BigInt): void {
  const draw = drawOf(event, request);
  draw.redraws += 1;
  draw.save();
}
