package thingsboard

func (p *Parser) scanTelemetry(body []byte) bool  { return false }
func (p *Parser) scanAttributes(body []byte) bool { return false }
