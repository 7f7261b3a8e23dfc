"""What if: any span of months under every sharing key and surplus rule, so that residents can vote on facts."""
