import type { LocalAccount } from "viem";
import { addressOf } from "../../chain/contracts.ts";
import { keyOf } from "../../core/attestation/bls.ts";
import { provePossession } from "../../core/attestation/statement.ts";
import type { Duty, JobContext } from "../jobs/duty.ts";
import { sendCall } from "../storage-node/context.ts";
import { operatorRoles, registerOperator } from "../storage-node/register.ts";
import type { Exchange } from "./exchange.ts";

export type EnrollerParts = JobContext & {
  readonly account: LocalAccount;
  readonly exchange: Exchange;
  readonly secret: bigint;
  /** Units of stake that count in draws. */
  readonly weight: number;
  /** Tokens that the operator should have staked in all; what the weight needs by default. */
  readonly stake?: bigint;
};

/** Makes the account a validator: registered where the others find it, with stake, enrolled with its key. */
export class Enroller implements Duty {
  readonly name = "enrolling";
  readonly #parts: EnrollerParts;
  #isDone = false;

  constructor(parts: EnrollerParts) {
    this.#parts = parts;
  }

  async tick(): Promise<void> {
    if (this.#isDone) return;
    const { account, contracts, client, deployment, queue, exchange, weight } = this.#parts;
    const stake = this.#parts.stake ?? BigInt(weight) * (await contracts.ValidatorSet.read.unit());
    await registerOperator(
      { account, contracts, chain: client, deployment, queue },
      { ...exchange.identity, stake, role: operatorRoles.validator },
    );
    // Whoever has left, and was not released yet, stays out.
    if ((await contracts.ValidatorSet.read.idOf([account.address])) === 0n) await this.#enrol();
    this.#isDone = true;
  }

  async #enrol(): Promise<void> {
    const { account, contracts, deployment, secret, weight, log } = this.#parts;
    const place = { chainId: BigInt(deployment.chainId), contract: addressOf(deployment, "ValidatorSet") };
    const key = keyOf(secret);
    const possession = provePossession(secret, place, account.address, key);
    const count = await contracts.ValidatorSet.read.validatorCount();
    await sendCall(this.#parts, `enrol:${count}`, "ValidatorSet", "enrol", [BigInt(weight), key, possession]);
    log.info({ weight }, "enrolled as a validator; draws of the next rotation count it");
  }
}
