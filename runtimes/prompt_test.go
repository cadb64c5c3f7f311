package runtimes_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/runtimes"
)

func TestPrompt(t *testing.T) {
	rt, err := runtimes.Get("python-datascience")
	require.NoError(t, err)
	require.Equal(t, `## Runtime Environment

**Name:** python-datascience
**Description:** Python with pandas, numpy, matplotlib, scikit-learn, seaborn
**Working directory:** /workspace

**Pre-installed packages** (use directly without installation):
- pandas
- numpy
- matplotlib
- scikit-learn
- seaborn
`, runtimes.Prompt(rt))
}

func TestPromptNamesVariablesWithoutValues(t *testing.T) {
	rt := &core.Runtime{
		Image: "debian", WorkDir: "/app", Description: "two\n## Lines",
		Env: map[string]string{"TOKEN": "s3cret", "API_URL": "https://hidden.example"},
	}
	require.Equal(t, `## Runtime Environment

**Description:** two ## Lines
**Working directory:** /app

**Environment variables** (set; values not shown):
- API_URL
- TOKEN
`, runtimes.Prompt(rt))
	require.Empty(t, runtimes.Prompt(nil))
}
