package thingsboard

import "github.com/tidewire/tidewire/model"

var powersOfTen = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// scanNumber reads and types a number. Up to 15 digits are an exact integer in a float64,
// and one division by an exact power of ten rounds correctly. (Reading eight digits at once
// by arithmetic was tried and is no faster: the next byte then waits for the result.)
func (p *Parser) scanNumber(b []byte, i int) (int, model.Value) {
	start := i
	negative := b[i] == '-'
	if negative {
		i++
	}
	first := i
	var digits uint64
	for i < len(b) && isDigit(b[i]) {
		digits = digits*10 + uint64(b[i]-'0')
		i++
	}
	n := i - first
	if n == 0 || n > 1 && b[first] == '0' || i >= len(b) {
		return -1, model.Value{}
	}
	if b[i] == '.' {
		i++
		first = i
		for i < len(b) && isDigit(b[i]) {
			digits = digits*10 + uint64(b[i]-'0')
			i++
		}
		fraction := i - first
		if fraction > 0 && n+fraction <= 15 && i < len(b) && b[i]|0x20 != 'e' {
			f := float64(digits) / powersOfTen[fraction]
			if negative {
				f = -f
			}
			return i, model.Float(f)
		}
	} else if n <= 18 && b[i]|0x20 != 'e' {
		if negative {
			return i, model.Int(-int64(digits))
		}
		return i, model.Int(int64(digits))
	}
	end, ok := scanNumber(b, start)
	if !ok {
		return -1, model.Value{}
	}
	v, err := p.numberValue(alias(b[start:end]))
	if err != nil {
		return -1, model.Value{}
	}
	return end, v
}
