import type { LocalAccount } from "viem";
import { addressOf } from "../../chain/contracts.ts";
import { keyOf } from "../../core/attestation/bls.ts";
import { provePossession } from "../../core/attestation/statement.ts";
import type { Duty } from "../jobs/duty.ts";
import { type DutyContext, sendCall } from "../storage-node/context.ts";
import { operatorRoles, registerOperator } from "../storage-node/register.ts";
import type { Exchange } from "./exchange.ts";

export type EnrollerParts = DutyContext & {
  readonly account: LocalAccount;
  readonly exchange: Pick<Exchange, "identity">;
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
    const id = await contracts.ValidatorSet.read.idOf([account.address]);
    if (id === 0n) await this.#enrol();
    else await this.#raise(id);
    this.#isDone = true;
  }

  /** A weight only grows; whoever has resigned, and was not released yet, stays out. */
  async #raise(id: bigint): Promise<void> {
    const { contracts, operator, weight, log } = this.#parts;
    const { weight: present, exitAt } = await contracts.ValidatorSet.read.validatorOf([id]);
    if (present >= weight) return;
    if (exitAt !== 0 && present === 0) {
      const mayRaise = await contracts.ValidatorSet.simulate
        .raise([BigInt(weight)], { account: operator })
        .then(
          () => true,
          () => false,
        );
      if (!mayRaise) return;
    }
    // What was slashed is raised again: the same weight is reached more than once.
    const key = `raise:${id}:${present}:${weight}:${await contracts.ValidatorSet.read.rotation()}`;
    await sendCall(this.#parts, key, "ValidatorSet", "raise", [BigInt(weight)]);
    log.info({ weight }, "raised the weight; draws of the next rotation count it");
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
