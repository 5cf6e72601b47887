import { BigInt, Bytes, ethereum } from "@graphprotocol/graph-ts";
import { Payment } from "../generated/schema";
import { day, eventId, network, operator } from "./record";

/** Writes a payment down. The caller says what it was for and saves it. */
export function payment(event: ethereum.Event, kind: string, to: Bytes, amount: BigInt): Payment {
  const row = new Payment(eventId(event));
  row.kind = kind;
  row.to = to;
  row.amount = amount;
  row.timestamp = event.block.timestamp;
  row.transaction = event.transaction.hash;
  return row;
}

/** Counts tokens that an operator earned. */
export function earn(event: ethereum.Event, account: Bytes, amount: BigInt): void {
  const earner = operator(account);
  earner.earned = earner.earned.plus(amount);
  earner.save();
  const total = network();
  total.paid = total.paid.plus(amount);
  total.save();
  const today = day(event);
  today.paid = today.paid.plus(amount);
  today.save();
}
