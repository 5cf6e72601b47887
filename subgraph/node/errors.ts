import { AssayError, BadInputError } from "../../keepers/src/core/errors.ts";

/** A subgraph asks for something that this node does not do. */
export class UnsupportedSubgraphError extends BadInputError {
  override readonly name = "UnsupportedSubgraphError";
}

/** A mapping stopped: the same block would stop it again, so indexing ends before that block. */
export class MappingError extends AssayError {
  override readonly name = "MappingError";
}

/** A query that cannot be answered as it stands; its message goes to the client. */
export class QueryError extends BadInputError {
  override readonly name = "QueryError";
}
