import { peerIdFromString } from "@libp2p/peer-id";
import { type Address, bytesToHex, type Hex } from "viem";
import { z } from "zod";
import type { Contracts } from "../../chain/contracts.ts";
import type { G1Words } from "../../core/attestation/bls.ts";
import { UnsoundStatementError } from "../../core/attestation/statement.ts";
import { peerIdText } from "../../storage/client/peers.ts";
import { RefusalError } from "../../storage/transport/errors.ts";
import { guaranteedTo } from "../../storage/transport/guarantees.ts";
import type { Host } from "../../storage/transport/host.ts";
import { shareOfThread } from "../../storage/transport/peer-limits.ts";
import { defineProtocol } from "../../storage/transport/rpc.ts";
import { RpcClient } from "../../storage/transport/rpc-client.ts";
import { type Handlers, RpcServer, type ServerOptions } from "../../storage/transport/rpc-server.ts";
import {
  type DrawName,
  type Exchange,
  type MemberDesk,
  NotReadyError,
  type StatementRequest,
} from "./exchange.ts";

/** Members of a committee, and intervals of each, at most: `MAX_SIZE` and `MAX_CHECKS` of the contract. */
const mostMembers = 64;
const mostIntervals = 8;

const bytes32 = z.string().regex(/^0x[0-9a-f]{64}$/) as unknown as z.ZodType<Hex, Hex>;
const decimal = (digits: number) => z.string().regex(new RegExp(`^(0|[1-9][0-9]{0,${digits - 1}})$`));
const digests = z.array(bytes32).min(1).max(mostIntervals);
const draw = { jobId: decimal(20), attempt: decimal(3) };
/** Tenths of a millisecond that a signature takes of the thread, and beyond that each digest that is hashed and kept. */
const signingCost = 35;
const digestCost = 0.3;
const limits = { requestBody: 0, responseBody: 0, timeout: 15_000, idempotent: true };

/** The protocol between members of a committee. Numbers above 2^53 travel as decimal strings, hashes as 0x-hex. */
export const committeeProtocol = defineProtocol("/assay/committee/1.0.0", {
  /** The digests that a member found in its intervals, in order. */
  digests: {
    request: z.strictObject(draw),
    response: z.strictObject({ digests }),
    cost: 5,
    ...limits,
  },
  /** A member's signature of the root over the digests of these members, positions ascending. */
  sign: {
    request: z.strictObject({
      ...draw,
      members: z
        .array(
          z.strictObject({
            position: z
              .int()
              .min(0)
              .max(mostMembers - 1),
            digests,
          }),
        )
        .min(1)
        .max(mostMembers),
    }),
    response: z.strictObject({ signature: z.tuple([decimal(78), decimal(78)]) }),
    cost: ({ members }: Pick<StatementRequest, "members">) => {
      return signingCost + digestCost * members.reduce((sum, each) => sum + each.digests.length, 0);
    },
    ...limits,
  },
});

/**
 * What one peer may ask for, in the costs of the methods: a member asks each other for its digests once a look, and for a few
 * signatures, in one committee after the other. Peers cost nothing: all of them together leave the thread to duties. Nor does it cost
 * an enrolled validator anything to ask without end: to members of draws a part is guaranteed whatever others ask.
 */
const memberLimits = {
  burst: 2_000,
  perSecond: 400,
  inAll: shareOfThread,
  concurrent: 4,
  streamsPerPeer: 8,
};

type CommitteeMethods = (typeof committeeProtocol)["methods"];

export type Libp2pExchangeParameters = {
  /** The keeper's node; it is not closed here. */
  readonly host: Host;
  /** Multiaddr under which the node is reached. */
  readonly endpoint: string;
  readonly contracts: Pick<Contracts, "Staking">;
  /** Who comes before strangers; nobody is a stranger by default. */
  readonly isRegistered?: (peer: string) => boolean;
  /** Who is heard whatever others ask: members of draws; nobody by default. */
  readonly isOnDuty?: (peer: string) => boolean;
  /** Limits on each peer, and on all. */
  readonly limits?: ServerOptions;
};

/** Members reach each other at the peer ids and addresses that their operators registered. */
export class Libp2pExchange implements Exchange {
  readonly identity: Exchange["identity"];
  readonly #parameters: Libp2pExchangeParameters;
  #server: RpcServer<CommitteeMethods> | undefined;

  constructor(parameters: Libp2pExchangeParameters) {
    const { host, endpoint } = parameters;
    this.#parameters = parameters;
    this.identity = { peerId: host.peerId.toMultihash().bytes, endpoint };
  }

  async serve(desk: MemberDesk): Promise<void> {
    const handlers: Handlers<CommitteeMethods> = {
      digests: async (request, { peer }) => {
        const answer = await told(() => desk.digests(nameOf(request), bytesOf(peer)));
        return { result: { digests: [...answer] } };
      },
      sign: async (request, { peer }) => {
        const statement = { ...nameOf(request), members: request.members };
        const [x, y] = await told(() => desk.sign(statement, bytesOf(peer)));
        return { result: { signature: [String(x), String(y)] } };
      },
    };
    const { host, isRegistered, isOnDuty, limits } = this.#parameters;
    const guarantees = isOnDuty && [guaranteedTo(isOnDuty)];
    const options = {
      ...{ ...memberLimits, ...(isRegistered && { isRegistered }) },
      ...{ ...(guarantees && { guarantees }), ...limits },
    };
    this.#server = await RpcServer.start(host, committeeProtocol, handlers, options);
  }

  digests(operator: Address, name: DrawName, signal?: AbortSignal): Promise<readonly Hex[]> {
    return this.#with(operator, signal, async (client) => {
      const { result } = await client.ask("digests", textOf(name), { signal });
      return result.digests;
    });
  }

  sign(operator: Address, statement: StatementRequest, signal?: AbortSignal): Promise<G1Words> {
    return this.#with(operator, signal, async (client) => {
      const members = statement.members.map(({ position, digests }) => ({
        position,
        digests: [...digests],
      }));
      const { result } = await client.ask("sign", { ...textOf(statement), members }, { signal });
      const [x, y] = result.signature;
      return [BigInt(x), BigInt(y)];
    });
  }

  async close(): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
  }

  async #with<T>(
    operator: Address,
    signal: AbortSignal | undefined,
    work: (client: RpcClient<CommitteeMethods>) => Promise<T>,
  ): Promise<T> {
    const { host, contracts } = this.#parameters;
    const [peerId, endpoint] = await contracts.Staking.read.identityOf([operator]);
    const client = await RpcClient.connect(host, committeeProtocol, endpoint, {
      peer: peerIdText(peerId),
      signal,
    });
    try {
      return await work(client);
    } finally {
      await client.close();
    }
  }
}

/** A peer id as it stands on chain. */
function bytesOf(peer: string): Hex {
  return bytesToHex(peerIdFromString(peer).toMultihash().bytes);
}

function nameOf({ jobId, attempt }: { jobId: string; attempt: string }): DrawName {
  return { jobId: BigInt(jobId), attempt: BigInt(attempt) };
}

function textOf({ jobId, attempt }: DrawName): { jobId: string; attempt: string } {
  return { jobId: String(jobId), attempt: String(attempt) };
}

/** What a member says no to, in the words of the protocol. */
async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof NotReadyError) throw new RefusalError("not-found", error.message);
    if (error instanceof UnsoundStatementError) throw new RefusalError("refused", error.message);
    throw error;
  }
}
