import { type Address, bytesToHex, type Hex, hexToBytes } from "viem";
import type { G1Words } from "../../../../keepers/src/core/attestation/bls.ts";
import {
  type DrawName,
  type Exchange,
  type MemberDesk,
  NotReadyError,
  type StatementRequest,
} from "../../../../keepers/src/roles/validator/exchange.ts";

/** Members of committees within one process, by their operators. */
export class LocalMembers {
  readonly desks = new Map<Address, MemberDesk>();
  /** Operators that do not answer. */
  readonly silent = new Set<Address>();

  exchangeOf(operator: Address): Exchange {
    const peerId: Hex = `0x0014${operator.slice(2).toLowerCase()}`;
    const deskOf = (member: Address): MemberDesk => {
      const desk = this.desks.get(member);
      if (desk === undefined || this.silent.has(member)) throw new NotReadyError("nobody answers");
      return desk;
    };
    return {
      identity: { peerId: hexToBytes(peerId), endpoint: "/ip4/127.0.0.1/tcp/1" },
      serve: async (desk: MemberDesk) => {
        this.desks.set(operator, desk);
      },
      digests: async (member: Address, draw: DrawName): Promise<readonly Hex[]> =>
        deskOf(member).digests(draw, bytesToHex(hexToBytes(peerId))),
      sign: async (member: Address, statement: StatementRequest): Promise<G1Words> =>
        deskOf(member).sign(statement, bytesToHex(hexToBytes(peerId))),
      close: async () => {
        this.desks.delete(operator);
      },
    };
  }
}
