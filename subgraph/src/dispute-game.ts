import { BigInt, ethereum } from "@graphprotocol/graph-ts";
import {
  Challenged,
  ChallengeLost,
  ChallengeSettled,
  JobOpened,
  JobReleased,
  JobVoid,
  Moved,
  Posted,
  ProviderConvicted,
  RewardPaid,
  TimeoutCalled,
} from "../generated/DisputeGame/DisputeGame";
import { Challenge, Event, Move } from "../generated/schema";
import { checkpointOfClaim, jobOfClaim } from "./orders";
import { payment } from "./payments";
import { day, eventId, network, operator, record, zero } from "./record";

const contract = "DisputeGame";

function challengeOf(row: Event, id: BigInt): Challenge {
  const challenge = Challenge.load(id.toString())!;
  row.challenge = challenge.id;
  row.job = challenge.job;
  row.save();
  return challenge;
}

export function handleChallenged(event: Challenged): void {
  const id = event.params.challengeId.toString();
  const job = jobOfClaim(event.params.jobId);
  const row = record(event, contract, "Challenged");
  row.challenge = id;
  row.job = job;
  row.operator = event.params.challenger;
  row.save();
  operator(event.params.challenger);
  operator(event.params.claim.provider);
  const challenge = new Challenge(id);
  challenge.job = job;
  challenge.challenger = event.params.challenger;
  challenge.provider = event.params.claim.provider;
  challenge.checkpoint = checkpointOfClaim(event.params.jobId);
  challenge.interval = event.params.interval;
  challenge.traceRoot = event.params.claim.traceRoot;
  challenge.stage = 0;
  challenge.firstStep = zero;
  challenge.steps = zero;
  challenge.place = zero;
  challenge.index = zero;
  challenge.moveCount = 0;
  challenge.status = "Open";
  challenge.reward = zero;
  challenge.openedAt = event.block.timestamp;
  challenge.save();
  const total = network();
  total.challenges += 1;
  total.save();
  const today = day(event);
  today.challenges += 1;
  today.save();
}

export function handleMoved(event: Moved): void {
  const challenge = challengeOf(record(event, contract, "Moved"), event.params.challengeId);
  const position = event.params.position;
  challenge.stage = event.params.stage;
  challenge.firstStep = position.firstStep;
  challenge.steps = position.steps;
  challenge.place = position.place;
  challenge.index = position.index;
  challenge.moveCount += 1;
  challenge.save();
  const move = new Move(eventId(event));
  move.challenge = challenge.id;
  move.number = challenge.moveCount;
  move.by = event.transaction.from;
  move.stage = event.params.stage;
  move.firstStep = position.firstStep;
  move.steps = position.steps;
  move.place = position.place;
  move.level = position.level;
  move.index = position.index;
  move.timestamp = event.block.timestamp;
  move.transaction = event.transaction.hash;
  move.save();
}

export function handlePosted(event: Posted): void {
  challengeOf(record(event, contract, "Posted"), event.params.challengeId);
}

export function handleTimeoutCalled(event: TimeoutCalled): void {
  challengeOf(record(event, contract, "TimeoutCalled"), event.params.challengeId);
}

function end(event: ethereum.Event, challenge: Challenge, status: string): void {
  challenge.status = status;
  if (challenge.endedAt === null) challenge.endedAt = event.block.timestamp;
  challenge.save();
}

export function handleChallengeLost(event: ChallengeLost): void {
  end(event, challengeOf(record(event, contract, "ChallengeLost"), event.params.challengeId), "Lost");
}

export function handleProviderConvicted(event: ProviderConvicted): void {
  const row = record(event, contract, "ProviderConvicted");
  row.operator = event.params.challenger;
  end(event, challengeOf(row, event.params.challengeId), "Convicted");
  const total = network();
  total.convictions += 1;
  total.save();
}

export function handleChallengeSettled(event: ChallengeSettled): void {
  const challenge = challengeOf(record(event, contract, "ChallengeSettled"), event.params.challengeId);
  if (challenge.status == "Open") end(event, challenge, "Settled");
}

export function handleRewardPaid(event: RewardPaid): void {
  const row = record(event, contract, "RewardPaid");
  row.operator = event.params.challenger;
  const challenge = challengeOf(row, event.params.challengeId);
  challenge.reward = challenge.reward.plus(event.params.reward);
  challenge.save();
  const paid = payment(event, "ChallengeReward", event.params.challenger, event.params.reward);
  paid.job = challenge.job;
  paid.save();
}

function noteJob(row: Event, id: BigInt): void {
  row.job = jobOfClaim(id);
  row.save();
}

export function handleJobOpened(event: JobOpened): void {
  noteJob(record(event, contract, "JobOpened"), event.params.jobId);
}

export function handleJobReleased(event: JobReleased): void {
  noteJob(record(event, contract, "JobReleased"), event.params.jobId);
}

export function handleJobVoid(event: JobVoid): void {
  noteJob(record(event, contract, "JobVoid"), event.params.jobId);
}

export function handleBondBurnt(event: ethereum.Event): void {
  record(event, contract, "BondBurnt").save();
}

export function handleCreditWithdrawn(event: ethereum.Event): void {
  record(event, contract, "CreditWithdrawn").save();
}
