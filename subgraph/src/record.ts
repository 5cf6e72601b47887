import { BigInt, Bytes, crypto, ethereum } from "@graphprotocol/graph-ts";
import { Day, Event, Network, Operator } from "../generated/schema";

/** Longest bytes that are written out in an event's parameters. */
const longestBytes = 1024;

export const zero = BigInt.zero();

/** Writes an event down as it is. The caller sets what it refers to and saves it. */
export function record(event: ethereum.Event, contract: string, name: string): Event {
  const row = new Event(eventId(event));
  row.contract = contract;
  row.name = name;
  row.parameters = parametersOf(event);
  row.block = event.block.number;
  row.timestamp = event.block.timestamp;
  row.transaction = event.transaction.hash;
  row.sender = event.transaction.from;
  row.logIndex = event.logIndex.toI32();
  return row;
}

/**
 * Number of the block and place of the log in it, big-endian: 8 and 4 bytes. Rows that come one after the other lie one
 * beside the other in every index, as those of transaction hashes would not.
 */
export function eventId(event: ethereum.Event): Bytes {
  const id = new Bytes(12);
  const block = event.block.number.toU64();
  for (let i = 0; i < 8; i++) id[i] = <u8>(block >> (8 * (7 - i)));
  const place = event.logIndex.toU32();
  for (let i = 0; i < 4; i++) id[8 + i] = <u8>(place >> (8 * (3 - i)));
  return id;
}

function parametersOf(event: ethereum.Event): string {
  let text = "{";
  for (let i = 0; i < event.parameters.length; i++) {
    if (i > 0) text += ",";
    text += quote(event.parameters[i].name) + ":" + describe(event.parameters[i].value);
  }
  return text + "}";
}

function describe(value: ethereum.Value): string {
  if (value.kind == ethereum.ValueKind.ADDRESS) return quote(value.toAddress().toHexString());
  if (value.kind == ethereum.ValueKind.BOOL) return value.toBoolean() ? "true" : "false";
  if (value.kind == ethereum.ValueKind.INT || value.kind == ethereum.ValueKind.UINT)
    return quote(value.toBigInt().toString());
  if (value.kind == ethereum.ValueKind.STRING) return quote(value.toString());
  if (value.kind == ethereum.ValueKind.BYTES || value.kind == ethereum.ValueKind.FIXED_BYTES) {
    const bytes = value.toBytes();
    if (bytes.length <= longestBytes) return quote(bytes.toHexString());
    return (
      '{"keccak256":' + quote(crypto.keccak256(bytes).toHexString()) + ',"length":' + bytes.length.toString() + "}"
    );
  }
  const isTuple = value.kind == ethereum.ValueKind.TUPLE;
  let text = "[";
  if (isTuple) {
    const parts = value.toTuple();
    for (let i = 0; i < parts.length; i++) text += (i > 0 ? "," : "") + describe(parts[i]);
  } else {
    const parts = value.toArray();
    for (let i = 0; i < parts.length; i++) text += (i > 0 ? "," : "") + describe(parts[i]);
  }
  return text + "]";
}

/** A JSON string (RFC 8259). What needs no escape, as most does, is taken over in one piece: memory is never freed. */
function quote(text: string): string {
  let out = '"';
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code != 34 && code != 92 && code >= 32) continue;
    out += text.substring(start, i);
    if (code < 32) out += "\\u00" + (code < 16 ? "0" : "1") + "0123456789abcdef".charAt(code & 15);
    else out += "\\" + text.charAt(i);
    start = i + 1;
  }
  return out + (start == 0 ? text : text.substring(start)) + '"';
}

/** Text of a bytes32 that holds ASCII, or its hexadecimal when it does not. */
export function reasonOf(reason: Bytes): string {
  let length = reason.length;
  while (length > 0 && reason[length - 1] == 0) length--;
  for (let i = 0; i < length; i++) if (reason[i] < 32 || reason[i] > 126) return reason.toHexString();
  let text = "";
  for (let i = 0; i < length; i++) text += String.fromCharCode(reason[i]);
  return text;
}

export function network(): Network {
  const existing = Network.load("assay");
  if (existing != null) return existing;
  const created = new Network("assay");
  created.operators = 0;
  created.staked = zero;
  created.slashed = zero;
  created.burnt = zero;
  created.datasets = 0;
  created.bundles = 0;
  created.orders = 0;
  created.jobs = 0;
  created.jobsFinalised = 0;
  created.jobsFailed = 0;
  created.challenges = 0;
  created.convictions = 0;
  created.paid = zero;
  created.auditsAnswered = 0;
  created.auditsMissed = 0;
  return created;
}

export function day(event: ethereum.Event): Day {
  const number = event.block.timestamp.toI32() / 86400;
  const id = number.toString();
  const existing = Day.load(id);
  if (existing != null) return existing;
  const created = new Day(id);
  created.start = BigInt.fromI32(number).times(BigInt.fromI32(86400));
  created.datasets = 0;
  created.jobsOpened = 0;
  created.jobsFinalised = 0;
  created.jobsFailed = 0;
  created.challenges = 0;
  created.paid = zero;
  created.slashed = zero;
  created.auditsAnswered = 0;
  created.auditsMissed = 0;
  return created;
}

export function operator(account: Bytes): Operator {
  const existing = Operator.load(account);
  if (existing != null) return existing;
  const created = new Operator(account);
  created.roles = 0;
  created.isActive = false;
  created.staked = zero;
  created.locked = zero;
  created.unbonded = zero;
  created.slashed = zero;
  created.earned = zero;
  created.auditsAnswered = 0;
  created.auditsMissed = 0;
  created.jobsFinalised = 0;
  created.jobsFailed = 0;
  created.conduct = BigInt.fromI32(1);
  created.save();
  return created;
}
