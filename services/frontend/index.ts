// The frontend's public face: what the command line and the benchmarks may use of it.
export {
  createDenseSession,
  type DenseOutputs,
  type DenseSession,
  type DenseSessionOptions,
} from "./dense-session.js";
