package main

import "context"

// unmeasured are the figures for which neither a sample nor a fixture exists.
func (*bench) unmeasured(context.Context) ([]row, error) {
	return []row{
		{what: "newsroom pages: shingle F1, English / German", digits: 3, wanted: []float64{0.970, 0.950}, lacks: noData},
		{what: "newsroom pages: title / author / date", digits: 3, wanted: []float64{0.86, 0.87, 0.955}, lacks: noData},
		{what: "German keyphrases by publishers' topics (YAKE)", digits: 3, baseline: []float64{0.097}, wanted: []float64{0.17}, lacks: noData},
	}, nil
}
