package detect

// Held is how much an engine keeps in memory now: open windows, and events that wait for their second look.
type Held struct{ Windows, Pending int }

// Held counts what is kept.
func (g *Engine) Held() Held { return Held{Windows: len(g.windows.open), Pending: len(g.pending)} }
