// Written by tools/page_rules.py from the Python files that say what each number means.

// blazeface/privacy/rules.py
export const RULES = {
  score: 0.3,
  faint: 0.3,
  large: 0.25,
  large_score: 0.5,
  margin_across: 0.1,
  margin_down: 0.2,
  certain: 0.9,
  certain_across: 0.05,
  doubtful_down: 0.25,
  inside: 0.85,
  sure: 0.5,
  shrunk: 0.8,
  overlap: 0.2,
  bridge: 2.0,
  hold: 1.0,
  linger: 0.5,
  brief: 0.2,
  established: 3,
  evidence: 0.25,
  coast: 0.5,
  largest_coast: 1.0,
  largest_exit: 3.0,
  memory: 0.25,
  slack: 0.1,
  growth: 0.5,
  largest_growth: 0.8,
  picture_growth: 0.15,
  reach: 0.75,
  speed: 2.0,
  ratio: 2.0,
  regain: 0.1,
  cells: 5,
};

// blazeface/search.py
export const SEARCH = {
  auto_share: 0.015625,
  smallest: 2.0,
  good: 1.0,
  largest: 0.5,
  largest_in_tiles: 0.3,
  long: 1.25,
  seam: 0.5,
  step: 2.0,
  shared_sizes: 1.25,
  largest_zoom: 2.0,
  tile_side: 1024,
  most_aspect: 4.0,
  same_points: 0.4,
  same_score: 0.5,
  faint: 0.05,
  usual_support: 3.0,
  most_candidates: 20000,
};

// blazeface/detector.py and decode.py
export const LIMITS = {
  max_candidates: 2000,
  max_regression: 1000000.0,
  logit: 80.0,
};

// blazeface/spec.py and backends/
export const METADATA = {
  spec: "blazeface.spec",
  multiple: "blazeface.input_multiple",
  max_multiple: 1024,
  image: "blazeface.image",
  nms: "blazeface.nms",
};
